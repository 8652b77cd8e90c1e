<?php
// asked.php PROBE NAME...: whether two servers at least have answered for each name, by what
// `dnsviz probe` wrote down. What nobody answers has no faults either.
[, $probe, ] = $argv;
$found = json_decode(file_get_contents($probe), true, flags: JSON_THROW_ON_ERROR);
foreach (array_slice($argv, 2) as $name) {
    $servers = [];
    foreach ($found["$name."]['queries'] ?? [] as $query) {
        foreach ($query['responses'] as $server => $bySource) {
            foreach ($bySource as $response) {
                if (isset($response['message'])) {
                    $servers[$server] = true;
                }
            }
        }
    }
    if (count($servers) < 2) {
        echo "$name: answered by ", count($servers), " servers\n";
        exit(1);
    }
}
