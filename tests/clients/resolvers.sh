# Real resolvers walk the delegation to us: unbound, whose queries are in random case (0x20), and
# BIND, which has no such option: its queries are in the case of its client.
# shellcheck shell=bash

# shellcheck source=tests/clients/internet/stage.sh
. "$here/internet/stage.sh"

zones=$work/resolvers
mkdir "$zones"
cp "$here"/internet/{shop,near}.test.toml "$zones"

# now: prints the time in milliseconds.
now() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); }

# leaves ADDRESS NAME MILLISECONDS COMMAND...: the name loses the address no later than so after the
# command.
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
# There must be an answer, but without the address.
lacks() {
    local answer
    answer=$("${ask[@]}" +short "$2" A) && [[ -n $answer ]] && ! grep -qxF "$1" <<<"$answer"
}
srv_without() {
    local answer
    answer=$("${ask[@]}" +short _http._tcp.web.shop.test SRV) &&
        [[ $answer == *beta* && $answer != *"$1"* ]]
}

# each_kind: tests one question for each kind of answer.
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
    test_that "$how: SRV" prints '\sSRV\s+0 65535 8080 alpha\.web\.shop\.test\.$' \
        "${ask[@]}" _http._tcp.web.shop.test SRV
    test_that "$how: the target of SRV" prints '\sA\s+127\.0\.0\.11$' "${ask[@]}" alpha.web.shop.test A
}

# Clients of the resolver that tells their networks, and the address that each must get. A client
# without a route gets the rest.
declare -A address_for=(
    [198.51.100.7]=192.0.2.101 [203.0.113.7]=192.0.2.102 [192.0.2.7]=192.0.2.100
    # Another client of a network that has asked.
    [198.51.100.8]=192.0.2.101
)

# each_its_own NAME CLIENT...: each client gets the address for its network.
each_its_own() {
    local name=$1 client answer
    shift
    for client; do
        answer=$("${ask[@]}" -b "$client" +short "$name" A)
        printf '%s got %s\n' "$client" "$answer"
        [[ $answer == "${address_for[$client]}" ]] || return 1
    done
}

# each_from_cache NAME CLIENT...: the same, without a question to our servers.
each_from_cache() {
    local before after
    before=$(from_cache)
    each_its_own "$@" || return 1
    after=$(from_cache)
    printf 'answers from the cache of subnets: %s, before: %s\n' "$after" "$before"
    [[ -n $before ]] && ((after - before == $# - 1))
}
from_cache() {
    unbound-control -c "$internet/unbound-subnet.conf" stats_noreset |
        sed -n 's/^num\.query\.subnet_cache=//p'
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

# One cache for the clients of three networks.
for address in "${!address_for[@]}"; do ip address replace "$address/32" dev lo; done
resolver subnets 127.0.0.4 unbound -c unbound-subnet.conf
ask=(dig @127.0.0.4 +time=5 +tries=2)
east=198.51.100.7 west=203.0.113.7 elsewhere=192.0.2.7
test_that "subnets: each network gets its own" each_its_own one.near.test $east $west $elsewhere
test_that "subnets: and in the other order" each_its_own two.near.test $elsewhere $west $east
for name in one two; do
    test_that "subnets: from the cache, too, $name" each_from_cache "$name.near.test" \
        $east $west $elsewhere $elsewhere $west $east $west $west $elsewhere $east $east
done
test_that "subnets: from the cache for another client of the network" \
    each_from_cache one.near.test 198.51.100.8

end ns2
for resolver in unbound:127.0.0.2 bind:127.0.0.3; do
    how=${resolver%:*}
    ask=(dig "@${resolver#*:}" +time=5 +tries=2)
    # If 0x20 meets a silent server, unbound at times tries all servers three times over.
    test_that "$how: one of the two servers is enough" \
        wait_until 60 has 192.0.2.81 "$how.wild.shop.test"
done
