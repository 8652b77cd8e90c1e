<?php
// SRV by the book (RFC 2782) in plain PHP: look up, order, resolve. To be copied into a project.

declare(strict_types=1);

/**
 * The SRV records of a name.
 *
 * @return list<array{pri: int, weight: int, port: int, target: string}>
 * @throws RuntimeException where there is no answer, or nothing in it
 */
function srv_records(string $name): array
{
    // false is "no answer" (with a warning that says little), [] is "no such record".
    $records = @dns_get_record(absolute($name), DNS_SRV);
    if ($records === false) {
        throw new RuntimeException("no answer for SRV {$name}");
    }
    // A chain of aliases comes as CNAME records in the same list.
    $records = array_values(array_filter($records, fn (array $r): bool => $r['type'] === 'SRV'));
    if ($records === []) {
        throw new RuntimeException("{$name} has no SRV record");
    }
    if (count($records) === 1 && in_array($records[0]['target'], ['', '.'], true)) {
        throw new RuntimeException("{$name} says that it offers no service (target \".\")");
    }
    return $records;
}

/** The name with its final dot, which keeps libc from asking for it in each domain of the search list. */
function absolute(string $name): string
{
    return rtrim($name, '.') . '.';
}

/**
 * The order in which to try them: priorities upwards; within one, a weighted draw without
 * replacement. RFC 2782 draws from 0 up, which favours whoever stands first; this draw, from 1 up, is
 * exact. Weight 0 is drawn when nothing else is left.
 *
 * @param list<array{pri: int, weight: int, port: int, target: string}> $records
 * @return list<array{pri: int, weight: int, port: int, target: string}>
 */
function srv_order(array $records): array
{
    $tiers = [];
    foreach ($records as $record) {
        $tiers[$record['pri']][] = $record;
    }
    ksort($tiers);
    $ordered = [];
    foreach ($tiers as $tier) {
        // Those of weight 0 last, in any order.
        shuffle($tier);
        usort($tier, fn (array $a, array $b): int => ($a['weight'] === 0) <=> ($b['weight'] === 0));
        while ($tier !== []) {
            $drawn = random_int(1, max(1, array_sum(array_column($tier, 'weight'))));
            $sum = 0;
            foreach ($tier as $at => $record) {
                $sum += $record['weight'];
                if ($sum >= $drawn || $record['weight'] === 0) {
                    $ordered[] = $record;
                    array_splice($tier, $at, 1);
                    break;
                }
            }
        }
    }
    return $ordered;
}

/**
 * The addresses of an SRV target, IPv4 first. PHP does not hand out the additional section of the
 * SRV response, so this is a query of its own.
 *
 * @return list<string>
 */
function srv_addresses(string $target): array
{
    $target = absolute($target);
    $records = @dns_get_record($target, DNS_A);
    $addresses = array_column($records === false ? [] : $records, 'ip');
    if ($addresses === []) {
        $records = @dns_get_record($target, DNS_AAAA);
        $addresses = array_column($records === false ? [] : $records, 'ipv6');
    }
    return $addresses;
}
