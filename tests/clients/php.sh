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
    prints 'priority 0  weight 3  alpha\.web\.example\.com:8080  127\.0\.0\.11' \
    php $php/resolve_srv.php _http._tcp.web.example.com
test_that "SRV of a name that has none is noticed" fails_with 'no SRV record' \
    php $php/resolve_srv.php static.example.com

# Random draws, within six standard deviations. RFC 2782 draws from 0 to 6, both included, which is one
# number more than the weights 3, 2 and 1 have; whoever stands first by chance has that one too.
php $php/resolve_srv.php _http._tcp.web.example.com 6000 >"$work/picks"
for expected in alpha:2857 beta:2000 gamma:1143; do
    count=$(awk -v name="${expected%:*}.web.example.com" '$1 == name { print $2 }' "$work/picks")
    test_that "RFC 2782 picks ${expected%:*} by its weight" near "${count:-0}" "${expected#*:}" 240
done

test_that "curl reaches the endpoint picked by SRV" \
    prints '^(alpha|beta|gamma)\.web\.example\.com 200 (alpha|beta|gamma)$' \
    php $php/call.php _http._tcp.web.example.com http://web.example.com/
test_that "a stream reaches a backend by its plain name" prints '^(alpha|beta|gamma)$' \
    php -r 'echo file_get_contents("http://web.example.com:8080/");'

# gone and back, as one long-lived PHP process sees them.
within() { # within MILLISECONDS watch.php arguments
    local most=$1 took
    shift
    took=$(timeout 30 php "$here/watch.php" "$@") || return 1
    printf 'after %d ms, at most %d\n' "$took" "$most"
    ((took <= most))
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
# 200 ms × 2 and 200 ms; PHP started its web server before we began to count.
test_that "PHP follows: a backend that returns is back in time" \
    within 600 web.example.com 127.0.0.11 back 10

for name in alpha beta gamma; do end "$name"; done
all_down() { (($(grep -c ' is down' "$work/waypost.log") >= 4)); }
wait_until 5 all_down || fail_now "not everything goes down"
test_that "with everything down the answers go on" prints 'gethostbyname   127\.0\.0\.1[123]$' \
    php $php/resolve_a.php web.example.com
test_that "and a call says that nothing answered" fails_with 'no endpoint' \
    php $php/call.php _http._tcp.web.example.com http://web.example.com/
