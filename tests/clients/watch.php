<?php
// One PHP process that resolves a name again and again, as a worker does.
//
//   php watch.php NAME ADDRESS gone|back SECONDS
//
// Waits until ADDRESS has not come out for 20 look-ups (gone), or comes out (back); prints how many
// milliseconds after the start that was first true. Exit code 1: not within SECONDS; 3: a look-up failed.

declare(strict_types=1);

[, $name, $address, $until, $seconds] = $argv;
$started = hrtime(true);
$elapsed = fn (): float => (hrtime(true) - $started) / 1e6;
[$others, $last] = [0, 0.0];
while ($elapsed() < (float) $seconds * 1000) {
    $found = gethostbyname($name);
    if ($found === $name) {
        fwrite(STDERR, "a look-up failed after {$elapsed()} ms\n");
        exit(3);
    }
    if ($found === $address && $until === 'back') {
        echo round($elapsed()), "\n";
        exit(0);
    }
    [$others, $last] = $found === $address ? [0, $elapsed()] : [$others + 1, $last];
    if ($others === 20 && $until === 'gone') {
        echo round($last), "\n";
        exit(0);
    }
    usleep(5000);
}
fwrite(STDERR, "{$address} is not {$until} after {$seconds} s\n");
exit(1);
