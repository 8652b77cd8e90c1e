<?php
// Picks an endpoint of a service by its SRV records.
//
//   php resolve_srv.php _http._tcp.web.example.com [COUNT]
//
// Prints the order in which to try the endpoints; with COUNT, how often each comes first in so many
// picks. Exit code: 0 picked, 1 not, 2 usage.

declare(strict_types=1);

require __DIR__ . '/srv.php';

$name = $argv[1] ?? '';
$count = (int) ($argv[2] ?? 0);
if ($name === '') {
    fwrite(STDERR, "usage: php resolve_srv.php NAME [COUNT]\n");
    exit(2);
}

try {
    $records = srv_records($name);
} catch (RuntimeException $error) {
    fwrite(STDERR, $error->getMessage() . "\n");
    exit(1);
}

if ($count === 0) {
    foreach (srv_order($records) as $at => $record) {
        $addresses = implode(' ', srv_addresses($record['target']));
        printf(
            "%d  priority %d  weight %d  %s:%d  %s\n",
            $at + 1, $record['pri'], $record['weight'], $record['target'], $record['port'], $addresses
        );
    }
    exit(0);
}

$first = [];
for ($i = 0; $i < $count; $i++) {
    $target = srv_order($records)[0]['target'];
    $first[$target] = ($first[$target] ?? 0) + 1;
}
ksort($first);
foreach ($first as $target => $times) {
    echo "{$target}  {$times}\n";
}
