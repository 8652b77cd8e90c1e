<?php
// Compares lines: php matches.php EXPECTED ACTUAL. A line `…` in EXPECTED stands for any number of
// lines, `…` in a line for any text; runs of blanks count as one. Exit code 1, with both texts, where they differ.

declare(strict_types=1);

$lines = fn (string $file): array => array_map(
    fn (string $line): string => trim(preg_replace('/\s+/', ' ', $line)),
    file($file, FILE_IGNORE_NEW_LINES)
);
[$expected, $actual] = [$lines($argv[1]), $lines($argv[2])];
$pattern = '';
foreach ($expected as $line) {
    $pattern .= $line === '…' ? "(?:[^\\n]*\\n)*" : str_replace('…', '[^\n]*', preg_quote($line, '/')) . "\\n";
}
if (preg_match("/^{$pattern}\\n*\$/u", implode("\n", $actual) . "\n")) {
    exit(0);
}
echo "expected:\n", implode("\n", $expected), "\nprinted:\n", implode("\n", $actual), "\n";
exit(1);
