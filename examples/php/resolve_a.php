<?php
// The addresses of a name, the two ways that plain PHP has.
//
//   php resolve_a.php web.example.com
//
// Exit code: 0 resolved, 1 not, 2 usage.

declare(strict_types=1);

$name = $argv[1] ?? '';
if ($name === '') {
    fwrite(STDERR, "usage: php resolve_a.php NAME\n");
    exit(2);
}

// The system's resolver: /etc/hosts, nsswitch.conf and resolv.conf apply. One IPv4 address.
$address = gethostbyname($name);
if ($address === $name) {
    // The only sign of failure: what came out is what went in.
    fwrite(STDERR, "gethostbyname: {$name} does not resolve\n");
    exit(1);
}
echo "gethostbyname   {$address}\n";

// Every address, with the TTL. Always name the type; the default is ANY. The final dot keeps libc from
// asking for the name in each domain of the search list.
$records = @dns_get_record(rtrim($name, '.') . '.', DNS_A);
if ($records === false || $records === []) {
    fwrite(STDERR, "dns_get_record: {$name} has no A record\n");
    exit(1);
}
foreach ($records as $record) {
    if ($record['type'] === 'A') {
        echo "dns_get_record  {$record['ip']}  ttl {$record['ttl']}\n";
    }
}
