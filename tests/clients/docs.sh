# What the documentation says: commands are run, zones are loaded.
# shellcheck shell=bash
#
# A `console` block behind the line `<!-- run -->` is run line by line: `$ command`, then the lines that
# it must print. A line `…` stands for any number of lines. A `toml` block that starts with a `zone`
# key is a whole zone and must load without a warning.

documents=(README.md docs/*.md docs/steering/*.md examples/php/README.md zones/README.md)
PATH=$(dirname "$WAYPOST"):$PATH
serve

run_blocks() { # run_blocks FILE: writes each command to its own pair of files, NUMBER.{command,expected}
    awk -v out="$work/doc" '
        /^<!-- run -->$/ { armed = 1; next }
        armed && /^```console$/ { inside = 1; armed = 0; next }
        /^```/ { inside = 0 }
        inside && /^\$ / { n++; file = sprintf("%s.%03d", out, n)
            print substr($0, 3) >(file ".command"); printf "" >(file ".expected"); next }
        inside { print >(file ".expected") }
    ' "$1"
}

says() { # says COMMAND_FILE EXPECTED_FILE
    local output
    output=$(timeout 20 bash -euo pipefail "$1" 2>&1) || { printf '%s\n(it failed)\n' "$output"; return 1; }
    [[ -s $2 ]] || return 0
    printf '%s\n' "$output" >"$work/actual"
    php "$here/matches.php" "$2" "$work/actual"
}

for document in "${documents[@]}"; do
    rm -f "$work"/doc.*
    run_blocks "$document"
    for command in "$work"/doc.*.command; do
        [[ -e $command ]] || continue
        test_that "$document: $(head -n 1 "$command")" says "$command" "${command%command}expected"
    done
    rm -rf "$work/zones"
    mkdir "$work/zones"
    awk -v out="$work/zones" '
        /^```toml$/ { inside = 1; text = ""; first = NR + 1; next }
        /^```/ { if (inside && text ~ /(^|\n)zone *=/) {
            directory = sprintf("%s/%04d", out, first); system("mkdir -p " directory)
            printf "%s", text >(directory "/example.com.toml") }
            inside = 0; next }
        inside { text = text $0 "\n" }
    ' "$document"
    for zone in "$work"/zones/*; do
        [[ -e $zone ]] || continue
        test_that "$document:$((10#${zone##*/})): this zone loads" prints_not 'warning' \
            waypost check --config "$here/places.toml" "$zone"
    done
done

waypost schema >"$work/schema.json"
documented() { php "$here/keys.php" docs/zone-file.md <"$work/schema.json"; }
test_that "docs/zone-file.md has every key with its default" documented
test_that "docs/zone.schema.json is what this version says" \
    cmp docs/zone.schema.json "$work/schema.json"
