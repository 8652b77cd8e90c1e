<?php
// Waits for the line in which the log says that an endpoint turned, and prints how many
// milliseconds after SINCE that was, and why.
//
//   php turned.php LOG SINCE ENDPOINT STATE
//
// SINCE is in milliseconds of the epoch. Fails if the line does not come within 8 seconds.

[, $log, $since, $endpoint, $state] = $argv;
for ($end = microtime(true) + 8; microtime(true) < $end; usleep(20_000)) {
    foreach (file($log) as $line) {
        $event = json_decode($line, true);
        if (($event['endpoint'] ?? '') !== $endpoint || ($event['to'] ?? '') !== $state) {
            continue;
        }
        $at = (float) (new DateTimeImmutable($event['timestamp']))->format('U.u') * 1000;
        if ($at >= (float) $since) {
            printf("%d %s\n", $at - (float) $since, $event['reason']);
            exit(0);
        }
    }
}
fwrite(STDERR, "$endpoint never turned $state\n");
exit(1);
