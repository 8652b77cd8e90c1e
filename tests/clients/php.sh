# PHP through the system's resolver: examples/php against real HTTP backends that die and come back.
# shellcheck shell=bash

php=examples/php

for name in alpha:11 beta:12 gamma:13; do backend "${name%:*}" "${name#*:}"; done
serve --zones "$here/zones" --listen 127.0.0.1:53 --workers 1

test_that "gethostbyname gives a backend" prints 'gethostbyname   127\.0\.0\.1[123]$' \
    php $php/resolve_a.php web.example.com
test_that "dns_get_record gives a backend and the TTL" \
    prints 'dns_get_record  127\.0\.0\.1[123]  ttl 10$' php $php/resolve_a.php web.example.com
test_that "a service without weights gives every address" prints '192\.0\.2\.32' \
    php $php/resolve_a.php pair.example.com
test_that "a name that is not there is noticed" fails_with 'does not resolve' \
    php $php/resolve_a.php missing.example.com
test_that "SRV gives port and weight" \
    prints 'priority 0  weight 65535  alpha\.web\.example\.com:8080  127\.0\.0\.11' \
    php $php/resolve_srv.php _http._tcp.web.example.com
test_that "SRV of a name that has none is noticed" fails_with 'no SRV record' \
    php $php/resolve_srv.php static.example.com

# Random draws, within six standard deviations.
php $php/resolve_srv.php _http._tcp.web.example.com 6000 >"$work/picks"
for expected in alpha:3000 beta:2000 gamma:1000; do
    count=$(awk -v name="${expected%:*}.web.example.com" '$1 == name { print $2 }' "$work/picks")
    test_that "a pick by SRV takes ${expected%:*} by its weight" near "${count:-0}" "${expected#*:}" 240
done

test_that "curl reaches the endpoint picked by SRV" \
    prints '^(alpha|beta|gamma)\.web\.example\.com 200 (alpha|beta|gamma)$' \
    php $php/call.php _http._tcp.web.example.com http://web.example.com/
test_that "a stream reaches a backend by its plain name" prints '^(alpha|beta|gamma)$' \
    php -r 'echo file_get_contents("http://web.example.com:8080/");'

# Times by which a long-lived PHP process sees an address gone or back.
within() { # within MILLISECONDS ARGUMENTS...: runs watch.php with the arguments
    local most=$1 took
    shift
    took=$(timeout 30 php "$here/watch.php" "$@") || return 1
    printf 'after %d ms, at most %d\n' "$took" "$most"
    ((took <= most))
}
outcome() { # outcome CODE FILE: the exit code and the output of an earlier run
    cat "$2"
    return "$1"
}
call_ten() {
    local i
    for ((i = 0; i < 10; i++)); do
        timeout 15 php $php/call.php _http._tcp.web.example.com http://web.example.com/ || return 1
    done
}

# 200 ms × 2 + 100 ms until it is down, 100 ms until answers follow, 100 ms for PHP and the machine.
end alpha
test_that "calls succeed while a dead backend is still answered" call_ten
backend alpha 11
within 5000 web.example.com 127.0.0.11 back 10 >/dev/null || fail_now "alpha does not come back"
end alpha
test_that "PHP follows: a dead backend is gone in time" within 700 web.example.com 127.0.0.11 gone 10
test_that "SRV does not name it either" prints_not 'alpha' \
    php $php/resolve_srv.php _http._tcp.web.example.com
test_that "the log says so" prints 'web\.example\.com\./alpha is down' cat "$work/waypost.log"
backend alpha 11
# 200 ms × 2 and 200 ms; PHP had started its web server before we began to count.
test_that "PHP follows: a backend that returns is back in time" \
    within 600 web.example.com 127.0.0.11 back 10

# Long-lived workers, as they come and as docs/php.md makes them. The promise is the one above, and
# half a second for a busy machine.
mkdir -p "$work/php"
awk -v out="$work/php" '
    /^<!-- file: .* -->$/ { file = out "/" $3; next }
    /^```/ { if (inside) { inside = 0; file = "" } else if (file) { inside = 1; print "<?php" >file } next }
    inside { print >file }
' docs/php.md
declare -A host=([alpha]=11 [beta]=12 [gamma]=13)
# worker KIND [FILE]: runs a worker, of which the first server that it called dies; leaves "LATE
# late, ALL in all" in the worker's log.
worker() {
    local first
    start worker php "$here/worker.php" "$1" http://web.example.com:8080/ 4 1200 "${@:2}"
    wait_until 10 grep -q . "$work/worker.log" || { cat "$work/worker.log"; return 1; }
    first=$(head -n 1 "$work/worker.log")
    end "$first"
    wait_until 20 grep -q ' in all$' "$work/worker.log"
    end worker
    cat "$work/worker.log"
    backend "$first" "${host[$first]}"
    within 5000 web.example.com "127.0.0.${host[$first]}" back 10
}
fails_on() { worker "$1" && grep -qE '^[1-9][0-9]* late' "$work/worker.log"; }
recovers() { worker "$1" "$work/php/$1.php" && grep -qE '^0 late, [1-9]' "$work/worker.log"; }
for client in curl guzzle symfony; do
    # `test_that` runs its command in a subshell, which must not own the backends.
    fails_on "$client" >"$work/failing" 2>&1 && failing=0 || failing=$?
    test_that "a worker with $client as it comes stays with a dead server" \
        outcome "$failing" "$work/failing"
    recovers "$client" >"$work/recovering" 2>&1 && recovering=0 || recovering=$?
    test_that "and with the two options leaves it in time" outcome "$recovering" "$work/recovering"
done

for name in alpha beta gamma; do end "$name"; done
all_down() { (($(grep -c ' is down' "$work/waypost.log") >= 4)); }
wait_until 5 all_down || fail_now "not everything goes down"
test_that "with everything down the answers go on" prints 'gethostbyname   127\.0\.0\.1[123]$' \
    php $php/resolve_a.php web.example.com
test_that "and a call says that nothing answered" fails_with 'no endpoint' \
    php $php/call.php _http._tcp.web.example.com http://web.example.com/

# "PHP in five lines", on the zone that the README makes.
end waypost
awk '/^```php$/ { inside = 1; print "<?php"; next } /^```/ { inside = 0 } inside' README.md >"$work/five.php"
"$WAYPOST" init example.com --zones "$work/five" >/dev/null
backend alpha 11
backend beta 12
serve --zones "$work/five" --listen 127.0.0.1:53 --workers 1
test_that "the README's five lines call a server of its zone" prints '^alpha$' php "$work/five.php"
end alpha
test_that "and once that one is down, the other" wait_until 15 prints '^beta$' php "$work/five.php"
end waypost
test_that "and say so when nobody answers" prints '^no answer$' php "$work/five.php"
