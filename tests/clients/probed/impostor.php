<?php
// Listens in the place of servers and never says a word, or resets whoever comes.
//
//   php impostor.php silent|reset ADDRESS:PORT... udp:ADDRESS:PORT...
//
// Prints `ready` when it listens on all of them.

[, $manner] = $argv;
$listeners = [];
foreach (array_slice($argv, 2) as $place) {
    $parts = explode(':', $place);
    $is_udp = $parts[0] === 'udp';
    [$address, $port] = array_slice($parts, $is_udp ? 1 : 0);
    $socket = $is_udp ? socket_create(AF_INET, SOCK_DGRAM, SOL_UDP)
        : socket_create(AF_INET, SOCK_STREAM, SOL_TCP);
    socket_set_option($socket, SOL_SOCKET, SO_REUSEADDR, 1);
    if (!socket_bind($socket, $address, (int) $port) || (!$is_udp && !socket_listen($socket, 128))) {
        exit(1);
    }
    // What comes over UDP stays in its buffer.
    if (!$is_udp) {
        $listeners[] = $socket;
    }
}
echo "ready\n";
$kept = [];
while (true) {
    [$ready, $none, $nor] = [$listeners, null, null];
    socket_select($ready, $none, $nor, null);
    foreach ($ready as $listener) {
        $peer = socket_accept($listener);
        if ($manner === 'reset') {
            socket_set_option($peer, SOL_SOCKET, SO_LINGER, ['l_onoff' => 1, 'l_linger' => 0]);
            socket_close($peer);
        } else {
            $kept[] = $peer;
        }
    }
}
