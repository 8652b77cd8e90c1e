# Real resolvers walk the delegation to us: unbound, whose queries are in random case (0x20), and
# BIND, which has no such option: its queries are in the case of those who ask it.
# shellcheck shell=bash

# shellcheck source=tests/clients/internet/stage.sh
. "$here/internet/stage.sh"

zones=$work/resolvers
mkdir "$zones"
cp "$here/internet/shop.test.toml" "$zones"

# now: milliseconds.
now() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); }

# leaves ADDRESS NAME MILLISECONDS COMMAND...: how long after the command the name loses the address.
leaves() {
    local address=$1 name=$2 most=$3 began took
    shift 3
    began=$(now)
    "$@"
    wait_until 20 lacks "$address" "$name" || { echo "it never leaves"; return 1; }
    took=$(($(now) - began))
    printf 'after %d ms, at most %d\n' "$took" "$most"
    ((took <= most))
}
has() { "${ask[@]}" +short "$2" A | grep -qxF "$1"; }
# There must be an answer, but without it.
lacks() {
    local answer
    answer=$("${ask[@]}" +short "$2" A) && [[ -n $answer ]] && ! grep -qxF "$1" <<<"$answer"
}
srv_without() {
    local answer
    answer=$("${ask[@]}" +short _http._tcp.web.shop.test SRV) &&
        [[ $answer == *beta* && $answer != *"$1"* ]]
}

# each_kind: one question for each kind of answer.
each_kind() {
    test_that "$how: A" prints '^static\.shop\.test\.\s.*\sA\s+192\.0\.2\.80$' \
        "${ask[@]}" static.shop.test A
    test_that "$how: AAAA" prints '\sAAAA\s+2001:db8::80$' "${ask[@]}" static.shop.test AAAA
    test_that "$how: odd case" prints '\sA\s+192\.0\.2\.82$' "${ask[@]}" A.dEEp.NaMe.ShOp.tESt A
    test_that "$how: a CNAME and what it leads to" prints '^static\.shop\.test\.\s.*192\.0\.2\.80$' \
        "${ask[@]}" alias.shop.test A
    test_that "$how: a CNAME to a service" prints '^web\.shop\.test\.\s.*\sA\s+127\.0\.0\.1[12]$' \
        "${ask[@]}" www.shop.test A
    test_that "$how: a DNAME" prints '\sCNAME\s+a\.deep\.name\.shop\.test\.$' \
        "${ask[@]}" a.deep.moved.shop.test A
    test_that "$how: what a DNAME leads to" prints '\sA\s+192\.0\.2\.82$' \
        "${ask[@]}" a.deep.moved.shop.test A
    test_that "$how: a wildcard" prints '^x\.y\.wild\.shop\.test\.\s.*192\.0\.2\.81$' \
        "${ask[@]}" x.y.wild.shop.test A
    test_that "$how: no such name" prints 'status: NXDOMAIN' "${ask[@]}" missing.shop.test A
    test_that "$how: no such name brings the SOA" prints '^shop\.test\.\s+[0-9]+\s+IN\s+SOA' \
        "${ask[@]}" missing2.shop.test A
    test_that "$how: no such type is no error" prints 'status: NOERROR' "${ask[@]}" static.shop.test MX
    test_that "$how: no such type brings the SOA" prints '^shop\.test\.\s+[0-9]+\s+IN\s+SOA' \
        "${ask[@]}" static.shop.test TXT
    test_that "$how: a name with nothing but names below it" prints 'status: NOERROR' \
        "${ask[@]}" name.shop.test A
    test_that "$how: what needs TCP" prints '"10 \.' "${ask[@]}" big.shop.test TXT
    test_that "$how: a service by weight" prints '^web\.shop\.test\.\s.*\sA\s+127\.0\.0\.1[12]$' \
        "${ask[@]}" web.shop.test A
    test_that "$how: a service without weights, all of it" prints '^pair\..*\sA\s+127\.0\.0\.11$' \
        "${ask[@]}" pair.shop.test A
    test_that "$how: and the other of it" prints '^pair\..*\sA\s+127\.0\.0\.12$' \
        "${ask[@]}" pair.shop.test A
    test_that "$how: a service over IPv6" prints '\sAAAA\s+2001:db8::3[12]$' "${ask[@]}" six.shop.test AAAA
    test_that "$how: SRV" prints '\sSRV\s+0 3 8080 alpha\.web\.shop\.test\.$' \
        "${ask[@]}" _http._tcp.web.shop.test SRV
    test_that "$how: the target of SRV" prints '\sA\s+127\.0\.0\.11$' "${ask[@]}" alpha.web.shop.test A
}

backend alpha 11
backend beta 12
build_internet "$zones"
resolver unbound 127.0.0.2 unbound -c unbound.conf
resolver bind 127.0.0.3 named -g -c named.conf

for resolver in unbound:127.0.0.2 bind:127.0.0.3; do
    how=${resolver%:*}
    ask=(dig "@${resolver#*:}" +time=5 +tries=2)
    each_kind
done

# The TTL of 2 s, 200 ms × 2 + 100 ms until it is down, and 500 ms for the machine.
for resolver in unbound:127.0.0.2 bind:127.0.0.3; do
    how=${resolver%:*}
    ask=(dig "@${resolver#*:}" +time=5 +tries=2)
    wait_until 10 has 127.0.0.11 pair.shop.test || fail_now "$how: alpha is not up"
    test_that "$how: a dead endpoint leaves within its TTL and the detection" \
        leaves 127.0.0.11 pair.shop.test 3000 end alpha
    test_that "$how: SRV goes on without it" wait_until 3 srv_without alpha
    backend alpha 11
done

end ns2
for resolver in unbound:127.0.0.2 bind:127.0.0.3; do
    how=${resolver%:*}
    ask=(dig "@${resolver#*:}" +time=5 +tries=2)
    # Where 0x20 meets a silent server, unbound at times tries all of them three times over.
    test_that "$how: one of the two servers is enough" \
        wait_until 60 has 192.0.2.81 "$how.wild.shop.test"
done
