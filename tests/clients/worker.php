<?php
// A worker that lives long: calls a URL again and again, and counts what fails.
//
//   php worker.php curl|guzzle|symfony URL SECONDS PROMISED_MS [FILE]
//
// FILE makes the client, as docs/php.md has it; without one the client is as it comes. Prints the body of the
// first response at once. At the end it prints how many calls failed more than PROMISED_MS after the first
// one that failed, and how many did in all. Exit code 1: the first call fails.

declare(strict_types=1);

[, $kind, $url, $seconds, $promised] = $argv;
$file = $argv[5] ?? null;
$packages = ['guzzle' => 'GuzzleHttp', 'symfony' => 'Symfony/Component/HttpClient'];
if (isset($packages[$kind])) {
    require "/usr/share/php/{$packages[$kind]}/autoload.php";
}
if ($file !== null) {
    require $file;
}
$limits = [CURLOPT_URL => $url, CURLOPT_RETURNTRANSFER => true, CURLOPT_TIMEOUT_MS => 1000];
switch ($kind) {
    case 'curl':
        $curl ??= curl_init();
        curl_setopt_array($curl, $limits);
        $call = fn () => curl_exec($curl);
        break;
    case 'guzzle':
        $client ??= new GuzzleHttp\Client();
        $call = fn () => (string) $client->get($url, ['timeout' => 1])->getBody();
        break;
    case 'symfony':
        $client ??= Symfony\Component\HttpClient\HttpClient::create();
        $call = fn () => $client->request('GET', $url, ['timeout' => 1])->getContent();
}
$try = function () use ($call): string|false {
    try {
        return $call();
    } catch (Throwable) {
        return false;
    }
};

$first = $try();
if ($first === false) {
    exit(1);
}
echo $first, "\n";
[$started, $failures] = [hrtime(true), []];
while (hrtime(true) - $started < $seconds * 1e9) {
    if ($try() === false) {
        $failures[] = hrtime(true);
    }
    usleep(20000);
}
$late = array_filter($failures, fn (int $at): bool => $at - $failures[0] > $promised * 1e6);
echo count($late), ' late, ', count($failures), " in all\n";
