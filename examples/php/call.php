<?php
// Calls an HTTP service through its SRV records, and goes on to the next endpoint on failure.
//
//   php call.php _http._tcp.web.example.com http://web.example.com/
//
// Exit code: 0 some endpoint answered, 1 none did, 2 usage.

declare(strict_types=1);

require __DIR__ . '/srv.php';

const CONNECT_TIMEOUT_MS = 500;
const TIMEOUT_MS = 3000;
const TRIES_MAX = 3;

[$service, $url] = [$argv[1] ?? '', $argv[2] ?? ''];
if ($service === '' || $url === '') {
    fwrite(STDERR, "usage: php call.php SERVICE URL\n");
    exit(2);
}

try {
    $order = srv_order(srv_records($service));
} catch (RuntimeException $error) {
    fwrite(STDERR, $error->getMessage() . "\n");
    exit(1);
}

$curl = curl_init();
curl_setopt_array($curl, [
    CURLOPT_URL => $url,
    CURLOPT_RETURNTRANSFER => true,
    CURLOPT_CONNECTTIMEOUT_MS => CONNECT_TIMEOUT_MS,
    CURLOPT_TIMEOUT_MS => TIMEOUT_MS,
    // Connections must not outlive the choice that led to them.
    CURLOPT_FORBID_REUSE => true,
    // A proxy from the environment would choose the endpoint itself.
    CURLOPT_PROXY => '',
]);

foreach (array_slice($order, 0, TRIES_MAX) as $record) {
    foreach (array_slice(srv_addresses($record['target']), 0, 1) as $address) {
        $literal = str_contains($address, ':') ? "[{$address}]" : $address;
        // The URL keeps its host: the Host header, SNI and the certificate's name stay right, and
        // curl's DNS cache never sees the endpoint.
        curl_setopt($curl, CURLOPT_CONNECT_TO, ["::{$literal}:{$record['port']}"]);
        $body = curl_exec($curl);
        if ($body !== false) {
            $status = curl_getinfo($curl, CURLINFO_RESPONSE_CODE);
            echo "{$record['target']} {$status} {$body}\n";
            exit(0);
        }
        fwrite(STDERR, "{$record['target']} ({$address}:{$record['port']}): " . curl_error($curl) . "\n");
        // Only what never arrived is safe to send again for any method. This request is a GET; a
        // POST should stop here unless errno is CURLE_COULDNT_CONNECT.
    }
}
fwrite(STDERR, "no endpoint of {$service} answered\n");
exit(1);
