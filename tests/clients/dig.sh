# dig and kdig, over UDP and TCP, IPv4 and IPv6.
# shellcheck shell=bash

serve --zones "$here/zones" --listen 127.0.0.1:53 --listen '[::1]:53' --workers 1

for client in dig kdig; do
    for over in notcp tcp; do
        ask=("$client" @127.0.0.1 "+$over" +norecurse +time=3)
        how="$client +$over"
        test_that "$how: A" prints 'static\.example\.com\.\s+3600\s+IN\s+A\s+192\.0\.2\.80' \
            "${ask[@]}" static.example.com A
        test_that "$how: AAAA" prints '\s2001:db8::25$' "${ask[@]}" mail.example.com AAAA
        test_that "$how: MX with addresses" prints 'MX\s+10 mail\.example\.com\.' \
            "${ask[@]}" example.com MX
        test_that "$how: TXT" prints '"v=spf1 mx -all"' "${ask[@]}" example.com TXT
        test_that "$how: SOA" prints 'SOA\s+ns1\.example\.com\. hostmaster\.example\.com\.' \
            "${ask[@]}" example.com SOA
        test_that "$how: SRV" prints 'SRV\s+0 65535 8080 alpha\.web\.example\.com\.' \
            "${ask[@]}" _http._tcp.web.example.com SRV
        test_that "$how: SRV brings addresses" \
            prints 'alpha\.web\.example\.com\.\s+10\s+IN\s+A\s+127\.0\.0\.11' \
            "${ask[@]}" _http._tcp.web.example.com SRV
        test_that "$how: a CNAME is followed" prints 'static\.example\.com\.\s.*192\.0\.2\.80' \
            "${ask[@]}" alias.example.com A
        test_that "$how: a DNAME is applied" prints 'a\.moved.*CNAME\s+a\.example\.net\.' \
            "${ask[@]}" a.moved.example.com A
        test_that "$how: a wildcard" prints 'any\.wild\.example\.com\..*192\.0\.2\.81' \
            "${ask[@]}" any.wild.example.com A
        test_that "$how: an unknown type" prints '\\# 4 0[aA]000001' \
            "${ask[@]}" private.example.com TYPE65280
        test_that "$how: a referral with glue" prints 'ns\.lab\.example\.com\..*192\.0\.2\.99' \
            "${ask[@]}" host.lab.example.com A
        test_that "$how: NXDOMAIN" prints 'status: NXDOMAIN' "${ask[@]}" missing.example.com A
        test_that "$how: NXDOMAIN brings the SOA" prints 'example\.com\.\s+10\s+IN\s+SOA' \
            "${ask[@]}" missing.example.com A
        test_that "$how: NODATA is NOERROR" prints 'status: NOERROR' "${ask[@]}" static.example.com AAAA
        test_that "$how: NODATA brings the SOA" prints 'IN\s+SOA' "${ask[@]}" static.example.com AAAA
        test_that "$how: out of zone is REFUSED" prints 'status: REFUSED' "${ask[@]}" example.org A
        test_that "$how: ANY is one HINFO" prints 'HINFO\s+"RFC8482" ""' "${ask[@]}" static.example.com ANY
    done
    how=$client
    ask=("$client" @127.0.0.1 +norecurse +time=3)
    test_that "$how: no EDNS where none was asked with" prints_not 'EDNS' \
        "${ask[@]}" +noedns static.example.com A
    test_that "$how: 1232 is our size" prints '(udp|UDP size): 1232' "${ask[@]}" +edns static.example.com A
    test_that "$how: the DO bit comes back" prints 'flags: do' "${ask[@]}" +dnssec static.example.com A
    test_that "$how: what does not fit is cut, and says so" prints '[Ff]lags: .*tc' \
        "${ask[@]}" +ignore +bufsize=512 big.example.com TXT
    test_that "$how: what was cut comes over TCP" prints '"5 abcdefghijkl' \
        "${ask[@]}" +bufsize=512 big.example.com TXT
    test_that "$how: it fits without being cut in 1232" prints_not '[Ff]lags: .*tc' \
        "${ask[@]}" +ignore +bufsize=1232 big.example.com TXT
    test_that "$how: over IPv6" prints '192\.0\.2\.80' "$client" @::1 +norecurse static.example.com A
done

# kdig asks in lower case, whatever case it is given.
for over in notcp tcp; do
    test_that "dig +$over: the case of the name comes back" prints '^;StAtIc\.eXaMpLe\.CoM\.' \
        dig @127.0.0.1 "+$over" +norecurse StAtIc.eXaMpLe.CoM A
done
test_that "dig: an unknown EDNS version is BADVERS" prints 'status: BADVERS' \
    dig @127.0.0.1 +norecurse +edns=1 +noednsnegotiation static.example.com A
test_that "dig: unknown EDNS options are ignored" prints 'status: NOERROR' \
    dig @127.0.0.1 +norecurse +ednsopt=65001:00ff static.example.com A
test_that "dig: a cookie comes back with ours" prints 'COOKIE: .*\(good\)' \
    dig @127.0.0.1 +norecurse +cookie static.example.com A
test_that "dig: a transfer is refused" prints 'Transfer failed' \
    dig @127.0.0.1 +norecurse example.com AXFR
test_that "dig: class CH is refused" prints 'status: REFUSED' \
    dig @127.0.0.1 +norecurse version.bind CH TXT
test_that "dig: an unknown opcode is NOTIMP" prints 'status: NOTIMP' \
    dig @127.0.0.1 +norecurse +opcode=notify static.example.com SOA
test_that "dig: several queries on one connection" prints '192\.0\.2\.25' \
    dig @127.0.0.1 +tcp +keepopen +short static.example.com A mail.example.com A

# No backend listens yet: all endpoints are down, and the answers go on (fail open), by weight.
for ((i = 0; i < 600; i++)); do echo 'web.example.com A'; done >"$work/queries"
timeout 60 dig @127.0.0.1 +norecurse +short -f "$work/queries" >"$work/answers"
for expected in 11:300 12:200 13:100; do
    count=$(grep -cx "127\.0\.0\.${expected%:*}" "$work/answers" || true)
    test_that "dig: 127.0.0.${expected%:*} has its share of 600 answers" \
        near "$count" "${expected#*:}" 2
done

kill -HUP "${running[waypost]}"
test_that "SIGHUP reloads" wait_until 5 grep -q reloaded "$work/waypost.log"
pid=${running[waypost]}
ended_in_time() {
    kill -TERM "$pid"
    wait_until 5 gone "$pid"
}
gone() { [[ ! -e /proc/$1 || $(cut -d' ' -f3 "/proc/$1/stat") == Z ]]; }
test_that "SIGTERM ends the server within 5 s" ended_in_time
