<?php
// Whether a document has a table row for each key of the JSON Schema on standard input, with the
// default that the schema says: waypost schema | php keys.php DOCUMENT. Exit code 1 if not.

declare(strict_types=1);

$rows = preg_grep('/^\| `/', file($argv[1]));
$schema = json_decode(stream_get_contents(STDIN), true, flags: JSON_THROW_ON_ERROR);
$found = 0;
$problems = [];

$look = function (array $node) use (&$look, &$found, &$problems, $rows): void {
    foreach ($node['properties'] ?? [] as $key => $about) {
        // Record types are documented as a group, and what holds other keys by those.
        $is_group = in_array($key, ['expect', 'from'], true) || ctype_upper($key[0]);
        if ($is_group) {
            continue;
        }
        $found++;
        // A row for the key, or for the form that it begins: `{ split = …`.
        $written = preg_quote($key, '/');
        $own = preg_grep("/^\| `([a-z_]+\.)?{$written}` \||^\| `\{ {$written} = /", $rows);
        $default = isset($about['default']) ? '`' . json_encode($about['default']) . '`' : '';
        if ($own === []) {
            $problems[] = "no row for `{$key}`";
        } elseif ($default !== '' && !array_filter($own, fn ($row) => str_contains($row, $default))) {
            $problems[] = "the row of `{$key}` lacks its default, {$default}";
        }
    }
    array_walk($node, fn ($inner) => is_array($inner) ? $look($inner) : null);
};
$look($schema);

echo implode("\n", $problems), "\n{$found} keys\n";
exit($problems === [] && $found > 40 ? 0 : 1);
