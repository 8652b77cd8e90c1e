# Tools of the client tests: processes with an end, expectations, deadlines.
# shellcheck shell=bash

# fail_now REASON: ends the run if it makes no sense to go on.
fail_now() {
    printf 'not ok  %s\n' "$*"
    failed=$((failed + 1))
    total
}

# total: prints the last lines of a run, and exits with its code.
total() {
    if ((failed)) && [[ -s $work/waypost.log ]]; then
        printf "\n# the last lines of the server's log\n"
        tail -n 20 "$work/waypost.log"
    fi
    printf '\n%d passed, %d failed\n' "$passed" "$failed"
    exit $((failed != 0))
}

# start NAME COMMAND...: runs a program in the background; its output goes to $work/NAME.log.
start() {
    local name=$1
    shift
    # Emptied first, so that nobody reads the log of an earlier program.
    : >"$work/$name.log"
    "$@" >>"$work/$name.log" 2>&1 &
    running[$name]=$!
}

# end NAME: ends a program that `start` started, and waits for it.
end() {
    local pid=${running[$1]}
    unset "running[$1]"
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
}

end_all() {
    local name
    for name in "${!running[@]}"; do end "$name"; done
}

clean_up() {
    local status=$?
    trap - EXIT
    end_all
    rm -rf "$work"
    exit "$status"
}

# serve ARGUMENTS...: starts Waypost and waits until it listens.
serve() {
    start waypost "$WAYPOST" serve "$@"
    wait_until 10 grep -q listening "$work/waypost.log" || fail_now "waypost does not start: \
$(cat "$work/waypost.log")"
}

# backend NAME HOST: starts an HTTP server on 127.0.0.HOST:8080 that says its name.
backend() {
    BACKEND=$1 start "$1" php -S "127.0.0.$2:8080" "$here/backend.php"
    wait_until 10 php -r "exit(@fsockopen('127.0.0.$2', 8080) ? 0 : 1);" ||
        fail_now "no backend on 127.0.0.$2: $(cat "$work/$1.log")"
}

# wait_until SECONDS COMMAND...: tries again and again; fails if the command never succeeded.
wait_until() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@"; do
        ((SECONDS < deadline)) || return 1
        sleep 0.02
    done
}

# test_that SENTENCE COMMAND...: runs one test; shows the command's output only if it fails.
test_that() {
    local sentence=$1 output
    shift
    if output=$("$@" 2>&1); then
        passed=$((passed + 1))
        printf 'ok      %s\n' "$sentence"
    else
        failed=$((failed + 1))
        printf 'not ok  %s\n' "$sentence"
        printf '        %s\n' "$*" "${output//$'\n'/$'\n'        }"
    fi
}

# prints TEXT COMMAND...: the command succeeds and its output has the text (a regular expression).
prints() {
    local text=$1 output
    shift
    output=$(timeout 15 "$@" 2>&1) || { printf '%s\n(it failed)\n' "$output"; return 1; }
    printf '%s\n' "$output"
    grep -qE -- "$text" <<<"$output"
}

# prints_not TEXT COMMAND...: the command succeeds and its output lacks the text.
prints_not() {
    local text=$1 output
    shift
    output=$(timeout 15 "$@" 2>&1) || { printf '%s\n(it failed)\n' "$output"; return 1; }
    printf '%s\n' "$output"
    ! grep -qE -- "$text" <<<"$output"
}

# fails_with TEXT COMMAND...: the command fails, and its output has the text.
fails_with() {
    local text=$1 output
    shift
    output=$(timeout 15 "$@" 2>&1) && { printf '%s\n(it did not fail)\n' "$output"; return 1; }
    printf '%s\n' "$output"
    grep -qE -- "$text" <<<"$output"
}

# near COUNT EXACT TOLERANCE: COUNT is within TOLERANCE of EXACT.
near() {
    printf '%d, expected %d within %d\n' "$1" "$2" "$3"
    (($1 - $2 <= $3 && $2 - $1 <= $3))
}
