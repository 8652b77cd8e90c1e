# The documentation, tried: its commands are typed, its zones are loaded.
# shellcheck shell=bash
#
# After the line `<!-- run -->`, a `console` block is typed command by command (`$ command`, then
# the lines that it must print), and a `sh` block line by line. All commands of a document go into
# one shell, as a reader types them: directories, variables and jobs stay. Among the lines that must
# be printed, a line `…` stands for any number of lines, and `…` in a line for any text. A `toml`
# block with a `zone` key is a whole zone and must load without a warning.

documents=(docs/*.md docs/steering/*.md examples/php/README.md zones/README.md)
PATH=$(dirname "$WAYPOST"):$PATH

run_blocks() { # run_blocks FILE: writes each command to its own pair of files, NUMBER.{command,expected}
    awk -v out="$work/doc" '
        function command(text) { n++; file = sprintf("%s.%03d", out, n)
            print text >(file ".command"); printf "" >(file ".expected") }
        /^<!-- run -->$/ { armed = 1; next }
        armed && /^```(console|sh)$/ { inside = $0; armed = 0; next }
        /^```/ { inside = "" }
        inside == "```sh" && /^[^#]/ { command($0); next }
        inside && /^\$ / { command(substr($0, 3)); next }
        inside { print >(file ".expected") }
    ' "$1"
}

# Types the commands into one shell, whose home is empty. After a command that goes on in the
# background it waits for two seconds, as a person would.
typist='
    for command in "$1".*.command; do
        name=${command%.command}
        . "$command" >"$name.actual" 2>&1 </dev/null
        echo $? >"$name.status"
        [[ $(<"$command") != *"&" ]] || sleep 2
    done
    # shellcheck disable=SC2046 # a list of numbers
    [[ -z $(jobs -p) ]] || kill $(jobs -p)'
type_blocks() {
    rm -rf "$work/home" && mkdir "$work/home"
    CARGO_HOME=${CARGO_HOME:-$HOME/.cargo} RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup} \
        HOME=$work/home timeout 120 bash -c "$typist" typist "$work/doc" || true
}

says() { # says NAME: the command succeeded, and printed what is expected
    local status
    status=$(cat "$1.status" 2>/dev/null) || status='never, it was not reached'
    [[ $status == 0 ]] || { cat "$1.actual"; printf '(it ended with %s)\n' "$status"; return 1; }
    [[ -s $1.expected ]] || return 0
    # The settings that were read depend on the directory, and no document shows them.
    sed -i '/^settings: /d' "$1.actual"
    php "$here/matches.php" "$1.expected" "$1.actual"
}

test_document() {
    local command
    rm -f "$work"/doc.*
    run_blocks "$1"
    compgen -G "$work/doc.*.command" >/dev/null || return 0
    type_blocks
    for command in "$work"/doc.*.command; do
        test_that "$1: $(head -n 1 "$command")" says "${command%.command}"
    done
}

# README.md is the first, with an empty home and nothing running, as its reader has it.
no_block_is_left_out() {
    awk '/^```(console|sh)$/ && last !~ /^<!-- (run|not run: .*) -->$/ { print NR ": " $0; bad = 1 }
        { last = $0 } END { exit bad }' README.md
}
test_that "README.md: every block of commands is run, or says why not" no_block_is_left_out
test_document README.md
serve

for document in "${documents[@]}"; do
    test_document "$document"
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
