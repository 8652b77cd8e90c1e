# Resolvers and proxies in between, each set up by its block of docs/ask-from-here.md: they follow a
# zone of `waypost init`, while a server is there and after it has died.
# shellcheck shell=bash

page=docs/ask-from-here.md
files=$work/consumers
mkdir -p "$files"
# Writes each block after `<!-- file: NAME -->` to the file of that name.
awk -v out="$files" '
    /^<!-- file: .* -->$/ { file = out "/" $3; next }
    /^```/ { if (inside) { inside = 0; file = "" } else if (file) inside = 1; next }
    inside { print >file }
' "$page"
"$WAYPOST" init example.com --zones "$files/zones" >/dev/null || fail_now "no zone to begin with"
backend one 11
backend two 12
serve --zones "$files/zones" --workers 1

# Servers of the tests run as the user who started them: some namespaces have no other.
start_dnsmasq() {
    start dnsmasq dnsmasq --keep-in-foreground --conf-file="$files/dnsmasq.conf" --no-resolv --no-hosts \
        --listen-address=127.0.0.1 --bind-interfaces --user=root --pid-file= --stop-dns-rebind
}
start_unbound() {
    cat - "$files/unbound.conf" >"$files/unbound-whole.conf" <<CONF
server:
    interface: 127.0.0.1
    username: ""
    chroot: ""
    pidfile: ""
    directory: "$files"
    use-syslog: no
    module-config: "iterator"
CONF
    start unbound unbound -d -c "$files/unbound-whole.conf"
}
# systemd-resolved asks nobody while the machine has only loopback, and it wants a user and
# directories of its own.
start_resolved() {
    ip link add up0 type veth peer name up1
    ip link set up1 up
    ip link set up0 up
    ip address add 198.18.0.1/24 dev up0
    ip route add default via 198.18.0.2
    { grep -v '^systemd-resolve:' /etc/passwd; echo 'systemd-resolve:x:0:0::/:/bin/false'; } >"$files/passwd"
    # shellcheck disable=SC2016 # the inner shell's arguments
    start resolved unshare --mount bash -euc '
        mount --bind "$1/passwd" /etc/passwd
        [[ ! -d /etc/systemd ]] || mount -t tmpfs none /etc/systemd
        mount -t tmpfs none /run
        mkdir -p /run/systemd/resolved.conf.d
        cp "$1/resolved.conf" /run/systemd/resolved.conf.d/waypost.conf
        exec "$2"' bash "$files" "$(resolved)"
}
resolved() {
    local file
    for file in {,/usr}/lib/systemd/systemd-resolved target/systemd-resolved/lib/systemd/systemd-resolved; do
        [[ ! -x $file ]] || { realpath "$file"; return; }
    done
}
start_haproxy() { start haproxy haproxy -db -f "$files/haproxy.cfg"; }
start_nginx() {
    mkdir -p "$files/logs"
    cat >"$files/nginx-whole.conf" <<CONF
daemon off;
pid $files/nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path $files/body;
    proxy_temp_path $files/proxy;
    fastcgi_temp_path $files/fastcgi;
    uwsgi_temp_path $files/uwsgi;
    scgi_temp_path $files/scgi;
    include $files/nginx.conf;
}
CONF
    # Its workers would run as nobody, a user who may not exist here.
    ((EUID != 0)) || sed -i '1i user root;' "$files/nginx-whole.conf"
    start nginx nginx -p "$files" -c "$files/nginx-whole.conf"
}
start_caddy() {
    printf '{\n    admin off\n}\n' | cat - "$files/Caddyfile" >"$files/Caddyfile-whole"
    HOME=$files XDG_DATA_HOME=$files XDG_CONFIG_HOME=$files \
        start caddy caddy run --config "$files/Caddyfile-whole" --adapter caddyfile
}

looks_up() { dig @"${2:-127.0.0.1}" +short +time=1 +tries=1 web.example.com | grep -qE "^127\.0\.0\.$1\$"; }
calls() { curl -s -m 3 "http://127.0.0.1:$1/" | grep -qE "^$2\$"; }
# twenty COMMAND...: the command succeeds twenty times.
twenty() {
    local i
    for ((i = 1; i <= 20; i++)); do "$@" || { echo "not the ${i}th time"; return 1; }; done
}

for resolver in dnsmasq unbound; do
    "start_$resolver"
    test_that "$resolver leads its clients to Waypost" wait_until 10 looks_up '1[12]'
    end "$resolver"
done
start_resolved
test_that "systemd-resolved leads its clients to Waypost" wait_until 20 looks_up '1[12]' 127.0.0.53
end resolved
ip link del up0
start_haproxy
start_nginx
start_caddy
start_dnsmasq
for proxy in haproxy:8000 nginx:8001 caddy:8002; do
    test_that "${proxy%:*} finds a server" wait_until 15 calls "${proxy#*:}" '(one|two)'
    test_that "and serves every request" twenty calls "${proxy#*:}" '(one|two)'
done

end one
is_gone() { ! dig @127.0.0.1 -p 5300 +short web.example.com | grep -q '127.0.0.11'; }
gone_for_good() { wait_until 15 grep -q 's1 is down' "$work/waypost.log" && is_gone; }
test_that "Waypost notices that a server died" gone_for_good
# A cache on the way may keep an answer for its TTL of 10 s.
for proxy in haproxy:8000 nginx:8001 caddy:8002; do
    alone() { twenty calls "${proxy#*:}" two; }
    test_that "${proxy%:*} leaves the dead server" wait_until 20 alone
done
only_two() { twenty looks_up 12; }
test_that "and so do clients of dnsmasq" wait_until 15 only_two
