# The addresses of the server: both families on one port, rivals, addresses that come later; and
# signals.
# shellcheck shell=bash

mkdir "$work/addresses"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 30 -subj /CN=late \
    -keyout "$work/addresses/key.pem" -out "$work/addresses/cert.pem" 2>"$work/openssl.log" ||
    fail_now "openssl: $(cat "$work/openssl.log")"

# The zone's checks probe loopback, which must be allowed to a server that others can reach.
printf '[checks]\nallow = "127.0.0.0/8"\n' >"$work/reach.toml"

answers() { # answers SERVER [ARGUMENTS]...
    prints '^192\.0\.2\.80$' \
        kdig "@$1" +norecurse +time=2 +retry=0 +short "${@:2}" static.example.com A
}
# soon COMMAND...: tries until it succeeds, because an address needs a moment until it can be used.
soon() { wait_until 10 "$@" >/dev/null || "$@"; }
says() { wait_until 10 grep -qE -- "$1" "$work/waypost.log" || { cat "$work/waypost.log"; false; }; }
# serve_at ADDRESS:PORT...: serves the zone of the client tests there.
serve_at() {
    local listen=()
    for address; do listen+=(--listen "$address"); done
    serve --zones "$here/zones" --config "$work/reach.toml" --workers 2 "${listen[@]}"
}
refused() { # refused TEXT ADDRESS:PORT: a server does not start there, and says so in one line
    fails_with "$1" "$WAYPOST" serve --zones "$here/zones" --listen "$2"
}

for order in '0.0.0.0:53 [::]:53' '[::]:53 0.0.0.0:53'; do
    # shellcheck disable=SC2086 # two words
    serve_at $order
    for server in 127.0.0.1 ::1; do
        test_that "$order: $server answers over UDP" answers "$server"
        test_that "$order: $server answers over TCP" answers "$server" +tcp
    done
    test_that "$order: a second server is told who is there" \
        refused '\[::\]:53 over TCP: another program has \[::\]:53' '[::]:53'
    end waypost
done

# A server of another kind on an IPv4 address, with the socket option that lets others share it.
start rival php -r '$u = stream_socket_server("udp://127.0.0.1:53", $e, $m, STREAM_SERVER_BIND,
    stream_context_create(["socket" => ["so_reuseport" => true]])); echo "ready\n"; sleep(100);'
wait_until 10 grep -q ready "$work/rival.log" || fail_now "no rival: $(cat "$work/rival.log")"
test_that "a rival that shares its UDP port is found out" \
    refused '127\.0\.0\.1:53 over UDP: another program has 127\.0\.0\.1:53' 127.0.0.1:53
test_that "and by all of IPv4" refused '0\.0\.0\.0:53 over UDP: another program' 0.0.0.0:53
serve_at '[::]:53'
test_that "all of IPv6 is answered on beside it" answers ::1
end waypost
end rival

cat >"$work/late.toml" <<END
[listen]
addresses = ["127.0.0.1:53", "192.0.2.1:53", "[2001:db8::1]:53"]
tls = ["192.0.2.1:853", "[2001:db8::1]:853"]
https = "192.0.2.1:443"
quic = ["192.0.2.1:853", "[2001:db8::1]:853"]
[tls]
certificate = "$work/addresses/cert.pem"
key = "$work/addresses/key.pem"
$(cat "$work/reach.toml")
END
serve --zones "$here/zones" --config "$work/late.toml"
test_that "while two addresses are missing, the third answers" answers 127.0.0.1
for address in '192\.0\.2\.1:53' '\[2001:db8::1\]:53'; do
    test_that "$address: the log says that it is missing" says \
        "does not have the address of $address yet: waypost answers queries over UDP and TCP"
done
test_that "the same of an encrypted one" says 'the address of 192\.0\.2\.1:443 yet: waypost answers queries over HTTPS'
ip link add late0 type veth peer name late1
ip link set late1 up
ip link set late0 up
ip address add 192.0.2.1/32 dev late0
ip address add 2001:db8::1/64 dev late0
for server in 192.0.2.1 2001:db8::1; do
    test_that "$server has come, and answers over UDP" soon answers "$server"
    for over in tcp tls quic; do
        test_that "$server has come, and answers over $over" answers "$server" "+$over"
    done
done
test_that "192.0.2.1 has come, and answers over https" answers 192.0.2.1 +https
end waypost

# An IPv6 address is tentative for a second, in which a duplicate would answer.
ip address add 2001:db8::2/64 dev late0
serve_at '[2001:db8::2]:53'
test_that "an address that was tentative at the start answers" soon answers 2001:db8::2
end waypost
ip link delete late0

serve_at 127.0.0.1:53
pid=${running[waypost]}
for signal in USR2 ALRM PIPE VTALRM PROF IO PWR STKFLT XCPU XFSZ WINCH URG RTMIN RTMIN+5 RTMAX; do
    kill -s "$signal" "$pid"
    test_that "SIG$signal leaves it alive" answers 127.0.0.1
done
kill -s USR1 "$pid"
test_that "SIGUSR1 logs all states" says \
    'web\.example\.com\./alpha has been (up|down|unknown) for .* by its http check of 127\.0\.0\.11:8080: .+'
test_that "and it lives on" answers 127.0.0.1

# Its memory belongs to root: even the user that it runs as here, who is not root, may not read it.
chmod 755 "$work"
cp "$WAYPOST" "$work/waypost"
start unprivileged setpriv --reuid=65534 --regid=65534 --clear-groups \
    "$work/waypost" serve --zones "$here/zones" --listen 127.0.0.1:5300
wait_until 10 grep -q listening "$work/unprivileged.log" ||
    fail_now "waypost does not start: $(cat "$work/unprivileged.log")"
test_that "no other process of its user looks into it" fails_with 'Permission denied' \
    setpriv --reuid=65534 --regid=65534 --clear-groups cat "/proc/${running[unprivileged]}/maps"
end unprivileged
end waypost
