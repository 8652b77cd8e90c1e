# Checks of every kind at real servers that work, that are killed, that hang, that accept and never
# answer, or that reset; the reasons that are given, and the times.
# shellcheck shell=bash

# shellcheck source=tests/clients/probed/servers.sh
. "$here/probed/servers.sh"
# shellcheck source=tests/clients/probed/calm.sh
. "$here/probed/calm.sh"

# Milliseconds that a busy machine may be late, which is not what is tested here.
SLACK=500
INTERVAL=500 TIMEOUT=400
until_down=$((INTERVAL * 2 + TIMEOUT + SLACK)) until_up=$((INTERVAL * 2 + SLACK))

output=$(prepare_servers 2>&1) || fail_now "the servers cannot be prepared: $output"
start_calm
start_servers

# Each service has a real endpoint, which its check guards, and another that is always up.
zones=$work/probed-zones
mkdir "$zones"
cp "$probed/ca.pem" "$zones/"
{
    printf 'zone = "probed.test"\nnameservers = ["ns.example.net."]\n'
    service() { # service NAME ADDRESS CHECK
        printf '\n[services.%s]\n' "$1"
        printf 'check = { interval = "%sms", timeout = "%sms", rise = 2, fall = 2, %s }\n' \
            "$INTERVAL" "$TIMEOUT" "$3"
        printf 'endpoints = [{ name = "real", address = "%s" },\n' "$2"
        printf '  { name = "other", address = "192.0.2.1", check = false }]\n'
    }
    tls='host = "web.example.com", ca = "ca.pem"'
    service http 127.0.2.1 'kind = "http", path = "/healthz", expect = { body = "well" }'
    service https 127.0.2.1 "kind = \"https\", path = \"/healthz\", $tls"
    service tls 127.0.2.1 'kind = "tls", port = 443, server_name = "web.example.com", ca = "ca.pem"'
    service tcp 127.0.2.2 'kind = "tcp", port = 6379, send = "PING\r\n", expect = { text = "+PONG" }'
    service redis 127.0.2.2 'kind = "redis"'
    service mysql 127.0.2.3 'kind = "mysql"'
    service postgres 127.0.2.4 'kind = "postgres"'
    service dns 127.0.2.5 \
        'kind = "dns", query = "db.inside.test. A", expect = { data = "192.0.2.5" }'
    service grpc 127.0.2.6 'kind = "grpc", port = 50051, grpc_service = "shop.Cart"'
    service grpcs 127.0.2.6 "kind = \"grpcs\", port = 50052, $tls"
    service json 127.0.2.1 "kind = \"http\", path = \"/status\", connect_timeout = \"300ms\", \
expect = { json = { \"/status\" = \"ok\", \"/checks/0/errors\" = 0 } }"
    service exec 127.0.2.2 \
        'kind = "exec", command = ["/usr/bin/redis-cli", "-h", "127.0.2.2", "ping"]'
    # These always pass here.
    service icmp 127.0.2.9 'kind = "icmp"'
    service near-end 127.0.2.1 "kind = \"https\", port = 445, $tls, path = \"/healthz\""
    # These never pass.
    service too-near 127.0.2.1 \
        "kind = \"https\", port = 445, $tls, path = \"/healthz\", certificate = { fail = \"7d\" }"
    service no-value 127.0.2.1 \
        'kind = "http", path = "/status", expect = { json = { "/checks/0/errors" = 1 } }'
    service not-grpc 127.0.2.1 'kind = "grpc", port = 80'
    service no-route 192.0.2.7 'kind = "icmp"'
    service missing 127.0.2.1 'kind = "http", path = "/missing"'
    service wrong-body 127.0.2.1 'kind = "http", path = "/healthz", expect = { body = "on fire" }'
    service expired 127.0.2.1 "kind = \"https\", port = 444, $tls"
    service wrong-name 127.0.2.1 'kind = "https", host = "mail.example.com", ca = "ca.pem"'
    service stranger 127.0.2.1 'kind = "https", host = "web.example.com"'
    service not-redis 127.0.2.1 'kind = "redis", port = 80'
    service no-data 127.0.2.5 'kind = "dns", query = "web.inside.test. A"'
} >"$zones/probed.test.toml"
services=(http https tls tcp redis mysql postgres dns grpc grpcs json exec)

# serve_probed TOML: serves with TOML in [checks].
serve_probed() {
    printf '[listen]\naddresses = ["127.0.0.1:53"]\nworkers = 1\n[log]\nformat = "json"\n[checks]\n%s\n' \
        "$1" >"$work/probed.toml"
    serve --zones "$zones" --config "$work/probed.toml"
}

now() { date +%s%3N; }

# turned SERVICE STATE MILLISECONDS REASON: its real endpoint has turned since $since, no later than
# MILLISECONDS after it, for a reason that matches the regular expression.
turned() {
    local took reason line
    line=$(php "$here/probed/turned.php" "$work/waypost.log" "$since" "$1.probed.test./real" "$2") ||
        return 1
    took=${line%% *} reason=${line#* }
    printf 'after %d ms, at most %d: %s\n' "$took" "$3" "$reason"
    ((took <= $3)) && grep -qE -- "^($4)$" <<<"$reason"
}

# The real endpoint of a service is among the answers, or is not.
is_answered() { dig +short @127.0.0.1 "$1.probed.test" A | grep -q '^127\.0\.2\.'; }
is_not_answered() { ! is_answered "$1"; }

# all_turn WHAT STATE MILLISECONDS REASON [SERVICE=REASON]...: tests every service; some of them
# turn for reasons of their own.
all_turn() {
    local service reason own answered=is_answered
    [[ $2 == up ]] || answered=is_not_answered
    for service in "${services[@]}"; do
        reason=$4
        for own in "${@:5}"; do [[ $own != "$service="* ]] || reason=${own#*=}; done
        test_that "$service: $1 is $2 in time, and says why" turned "$service" "$2" "$3" "$reason"
        test_that "$service: answers follow" wait_until 2 "$answered" "$service"
    done
}

well='status 200|connected|received the expected bytes|ready|exit status 0'
late="no response within ${TIMEOUT}ms" unshaken="no TLS handshake within ${TIMEOUT}ms"

since=$(now)
serve_probed $'freeze_share = 1\nexec = true'
all_turn "a server that works" up 5000 "$well"

since=0
while IFS='|' read -r service reason; do
    test_that "$service: $reason" turned "$service" down "$(now)" "$reason"
done <<'EOF'
missing|status 404, expected 200-399
wrong-body|body lacks the expected text
expired|TLS: certificate expired
wrong-name|TLS: certificate is for another name
stranger|TLS: certificate from an unknown issuer
not-redis|the reply is not in the protocol of the check
no-data|NXDOMAIN, expected NOERROR
too-near|TLS: certificate expires in 2 days and 23 hours
no-value|body lacks the expected value at "/checks/0/errors"
not-grpc|the reply is not in the protocol of the check
no-route|network unreachable
EOF
test_that "icmp: an address of this machine answers" turned icmp up "$(now)" 'echo reply'
test_that "near-end: what is valid for three days yet passes" turned near-end up "$(now)" 'status 200'
test_that "near-end: and the log tells when it ends" prints \
    'certificate of near-end.probed.test./real at 127.0.2.1:445 expires in 2 days and 23 hours' \
    cat "$work/waypost.log"

test_that "the log has lines of our own, and no others" \
    prints_not '"target":"[^w]' cat "$work/waypost.log"

since=$(now)
kill_servers
all_turn "a server that was killed" down "$until_down" 'connection refused' 'exec=exit status 1'
since=$(now)
start_servers
all_turn "a server that is back" up "$(($(now) - since + until_up))" "$well"

since=$(now)
signal_servers STOP
all_turn "a server that hangs" down "$until_down" "$late" "tls=$unshaken" "grpcs=$unshaken"
since=$(now)
signal_servers CONT
all_turn "a server that goes on" up "$until_up" "$well"

kill_servers
# impostor MANNER: starts an impostor in the place of all servers.
impostor() {
    # shellcheck disable=SC2086 # lists of words
    start impostor php "$here/probed/impostor.php" "$1" \
        ${listens[nginx]} ${listens[redis]} ${listens[mariadb]} ${listens[postgres]} ${listens[grpc]} \
        "udp:${listens[unbound]}"
    wait_until 5 grep -q ready "$work/impostor.log" || fail_now "no impostor: $(cat "$work/impostor.log")"
}
# An endpoint that is down turns no more; only a server that starts says the reason again.
end waypost
for manner in silent reset; do
    impostor "$manner"
    since=$(now)
    serve_probed $'freeze_share = 1\nexec = true'
    if [[ $manner == silent ]]; then
        all_turn "one that accepts and never answers" down 5000 "$late" "tls=$unshaken" \
            "grpcs=$unshaken"
    else
        all_turn "one that resets" down 5000 'connection reset' "dns=$late" 'exec=exit status 1'
    fi
    end waypost
    end impostor
done

# All that works fails at once, with the guard, which then blames this machine. These are 12 of the
# 25 probed endpoints; 11 of the 25 fail from the start.
start_servers
serve_probed $'freeze_share = 0.46\nexec = true'
since=0
for service in "${services[@]}"; do
    turned "$service" up "$(now)" "$well" >/dev/null || fail_now "$service does not come up"
done
signal_servers STOP
test_that "the guard engages when nearly everything fails at once" \
    wait_until 5 grep -q 'states are frozen' "$work/waypost.log"
sleep "$(((INTERVAL * 4 + TIMEOUT) / 1000))"
for service in "${services[@]}"; do
    test_that "$service: while the guard holds the answers go on" is_answered "$service"
done
signal_servers CONT
test_that "and lets go when they pass again" \
    wait_until 5 grep -q 'states follow the probes again' "$work/waypost.log"
end waypost
kill_servers
end_calm
