# kdig over TLS, HTTPS and QUIC, curl and Chromium over HTTPS, and a certificate that is renewed
# meanwhile.
# shellcheck shell=bash

# issue NAME: writes a self-signed certificate of localhost to NAME.pem, and its key to NAME.key.
issue() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 30 \
        -subj "/CN=$1" -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' \
        -keyout "$work/$1.key" -out "$work/$1.pem" 2>"$work/openssl.log" ||
        fail_now "openssl: $(cat "$work/openssl.log")"
}

# present NAME: puts a certificate and its key in the place that the server reads.
present() {
    install -m 644 "$work/$1.pem" "$work/cert.new" && mv "$work/cert.new" "$work/cert.pem"
    install -m 600 "$work/$1.key" "$work/key.new" && mv "$work/key.new" "$work/key.pem"
}

issue old
issue new
present old
cat >"$work/waypost.toml" <<EOF
[listen]
addresses = ["127.0.0.53:53"]
workers = 1
tls = ["127.0.0.1:853", "[::1]:853"]
https = ["127.0.0.1:443", "[::1]:443"]
quic = ["127.0.0.1:853", "[::1]:853"]
h3 = ["127.0.0.1:443", "[::1]:443"]

[tls]
certificate = "$work/cert.pem"
key = "$work/key.pem"
EOF
serve --zones "$here/zones" --config "$work/waypost.toml"
test_that "every encrypted listener is in the log" \
    wait_until 5 grep -qE 'listening on \[::1\]:443 over H3' "$work/waypost.log"

for over in tls https quic; do
    how="kdig +$over"
    ask=(kdig @127.0.0.1 "+$over" +norecurse +time=3)
    test_that "$how: A" prints 'static\.example\.com\.\s+3600\s+IN\s+A\s+192\.0\.2\.80' \
        "${ask[@]}" static.example.com A
    test_that "$how: MX with addresses" prints 'MX\s+10 mail\.example\.com\.' "${ask[@]}" example.com MX
    test_that "$how: SRV" prints 'SRV\s+0 65535 8080 alpha\.web\.example\.com\.' \
        "${ask[@]}" _http._tcp.web.example.com SRV
    test_that "$how: an unknown type" prints '\\# 4 0[aA]000001' "${ask[@]}" private.example.com TYPE65280
    test_that "$how: a referral with glue" prints 'ns\.lab\.example\.com\..*192\.0\.2\.99' \
        "${ask[@]}" host.lab.example.com A
    test_that "$how: NXDOMAIN with the SOA" prints 'example\.com\.\s+10\s+IN\s+SOA' \
        "${ask[@]}" missing.example.com A
    test_that "$how: out of zone is REFUSED" prints 'status: REFUSED' "${ask[@]}" example.org A
    test_that "$how: what would be cut comes whole" prints '"5 abcdefghijkl' \
        "${ask[@]}" +bufsize=512 big.example.com TXT
    test_that "$how: over IPv6" prints '192\.0\.2\.80' kdig @::1 "+$over" +norecurse static.example.com A
done
test_that "kdig +tls: several queries on one connection" prints '192\.0\.2\.25' \
    kdig @127.0.0.1 +tls +keepopen +short +norecurse static.example.com A mail.example.com A

trust=(kdig @127.0.0.1 +tls-hostname=localhost +norecurse +short static.example.com A)
trust_old=("${trust[@]}" "+tls-ca=$work/old.pem")
trust_new=("${trust[@]}" "+tls-ca=$work/new.pem")
test_that "kdig verifies the certificate" prints '^192\.0\.2\.80$' "${trust_old[@]}"
test_that "kdig refuses a certificate that it does not know" fails_with 'certificate' "${trust_new[@]}"

test_that "kdig +https-get" prints '192\.0\.2\.80' \
    kdig @127.0.0.1 +https-get +norecurse +time=3 static.example.com A

# A query for static.example.com A, as octets and in base64url; and one octet more than the longest.
printf '\0\0\0\0\0\1\0\0\0\0\0\0\6static\7example\3com\0\0\1\0\1' >"$work/query"
dns=AAAAAAABAAAAAAAABnN0YXRpYwdleGFtcGxlA2NvbQAAAQAB
head -c 65536 /dev/zero >"$work/long"
url=https://localhost/dns-query
web=(curl --silent --show-error --max-time 5 --cacert "$work/cert.pem" --output "$work/answer"
    --write-out '%{http_version} %{http_code} %{content_type}\n')
post=("${web[@]}" --data-binary "@$work/query" -H 'Content-Type: application/dns-message')
for version in 2 1.1; do
    test_that "curl: a POST is answered over HTTP/$version" \
        prints "^$version 200 application/dns-message\$" "${post[@]}" "--http$version" "$url"
    test_that "curl: the answer is in it" prints 'c0 00 02 50$' od -An -tx1 -w1024 "$work/answer"
    test_that "curl: so is a GET, whatever it accepts" \
        prints "^$version 200 application/dns-message\$" "${web[@]}" "--http$version" "$url?dns=$dns"
    test_that "curl: the answer is in it" prints 'c0 00 02 50$' od -An -tx1 -w1024 "$work/answer"
    # status CODE CURL...: the server answers a request with this status.
    status() { prints "^$version $1 text/plain; charset=utf-8\$" "${@:2}" "--http$version"; }
    test_that "curl: another path is 404" status 404 "${web[@]}" "https://localhost/other?dns=$dns"
    test_that "curl: another method is 405" status 405 "${web[@]}" -X PUT "$url"
    test_that "curl: another type is 415" \
        status 415 "${web[@]}" --data-binary "@$work/query" -H 'Content-Type: application/json' "$url"
    test_that "curl: too long a query is 413" \
        status 413 "${web[@]}" --data-binary "@$work/long" -H 'Content-Type: application/dns-message' "$url"
    test_that "curl: one of unknown length, too" status 413 "${web[@]}" --data-binary "@$work/long" \
        -H 'Content-Type: application/dns-message' -H 'Transfer-Encoding: chunked' "$url"
    test_that "curl: no query is 400" status 400 "${web[@]}" "$url"
    test_that "curl: no base64url is 400" status 400 "${web[@]}" "$url?dns=AA+A="
    test_that "curl: half a header is 400" status 400 "${web[@]}" "$url?dns=AAAA"
done
headers=(curl --silent --show-error --max-time 5 --cacert "$work/cert.pem" --output /dev/null --dump-header -)
test_that "curl: it may be kept as long as its TTL" \
    prints '^cache-control: max-age=3600' "${headers[@]}" "$url?dns=$dns"
test_that "curl: 405 says which methods there are" prints '^allow: GET, POST' "${headers[@]}" -X PUT "$url"

# Only we know these names: the system's resolver has no part in it.
backend home 80
doh=(curl --silent --show-error --max-time 10 --doh-url "$url" --resolve localhost:443:127.0.0.1)
test_that "curl --doh-url finds a name" \
    prints '^home' "${doh[@]}" --doh-insecure http://home.example.com:8080/
test_that "curl --doh-url refuses a server that it does not trust" \
    fails_with 'resolve' "${doh[@]}" http://home.example.com:8080/

# A browser that asks only us, by the policy of its administrator.
mkdir -p "$work/chromium/policies/managed" "$work/home/.pki/nssdb"
mount --bind "$work/chromium" /etc/chromium
certutil -d "sql:$work/home/.pki/nssdb" -N --empty-password
certutil -d "sql:$work/home/.pki/nssdb" -A -t CP,, -n waypost -i "$work/old.pem"
# browse TEMPLATE: prints the page of home.example.com, as Chromium has it.
browse() {
    printf '{"DnsOverHttpsMode": "secure", "DnsOverHttpsTemplates": "%s"}' "$1" \
        >"$work/chromium/policies/managed/dns.json"
    rm -rf "$work/profile"
    HOME=$work/home timeout 90 chromium --headless --no-sandbox --disable-gpu --disable-quic \
        --no-first-run --disable-background-networking --disable-component-update --disable-sync \
        --disable-dev-shm-usage --user-data-dir="$work/profile" --dump-dom \
        http://home.example.com:8080/ 2>"$work/chromium.log" || tail -n 20 "$work/chromium.log"
}
shows() {
    local page
    page=$(browse "$1")
    printf '%s\n' "$page"
    grep -q '>home<' <<<"$page"
}
test_that "Chromium finds a name by POST and loads the page" shows "$url"
test_that "Chromium finds a name by GET and loads the page" shows "$url{?dns}"

echo broken >"$work/cert.pem"
test_that "a broken certificate is refused, and said so" \
    wait_until 6 grep -q 'certificate refused.*cert.pem holds no certificate' "$work/waypost.log"
test_that "the old one goes on being presented" prints '^192\.0\.2\.80$' "${trust_old[@]}"
present new
test_that "a renewed certificate is read by itself" \
    wait_until 6 grep -q 'certificate read again' "$work/waypost.log"
test_that "kdig meets the new one" prints '^192\.0\.2\.80$' "${trust_new[@]}"
test_that "kdig meets the old one no more" fails_with 'certificate' "${trust_old[@]}"

# Octets that are no TLS do no harm.
for port in 853 443; do
    for ((i = 0; i < 20; i++)); do head -c $((i * 50)) /dev/urandom >"/dev/tcp/127.0.0.1/$port" || true; done
done 2>/dev/null
test_that "after garbage: TLS answers" prints '192\.0\.2\.80' kdig @127.0.0.1 +tls static.example.com A
test_that "after garbage: HTTPS answers" prints '192\.0\.2\.80' kdig @127.0.0.1 +https static.example.com A
quiet() { ! grep -E 'hyper|h3::|rustls|quinn' "$work/waypost.log"; }
test_that "the log has no lines about it" quiet
end waypost
calm() { ! grep -E 'panic' "$work/waypost.log"; }
test_that "it stops in good order" calm
