# Healthy servers of Debian, probed a thousand times each, ten times a second: no probe fails, and no
# server logs an error or an abort. Runs beside the other probes, with a Waypost of its own.
# shellcheck shell=bash

calm=$work/calm
PROBES=1000
# The number of probes of one server that may be late on a busy machine, and end in the middle. That
# is not what is tested here: a fault of a probe shows a thousand times.
LATE_MAX=10
# The probed servers: the address of each, with its check.
declare -A calm_checks=(
    [nginx]='127.0.3.1|kind = "http", port = 8080, path = "/healthz", expect = { body = "well" }'
    [nginx-status]='127.0.3.1|kind = "http", port = 8081, path = "/large"'
    [apache]='127.0.3.2|kind = "http", port = 8080, path = "/healthz", expect = { body = "well" }'
    [lighttpd]='127.0.3.3|kind = "http", port = 8080, path = "/healthz", expect = { body = "well" }'
    [php]='127.0.3.4|kind = "http", port = 8080, path = "/healthz", expect = { body = "well" }'
    [python]='127.0.3.5|kind = "http", port = 8080, path = "/large"'
    [python-tcp]='127.0.3.6|kind = "tcp", port = 8080'
    [fpm]='127.0.3.7|kind = "fastcgi", expect = { body = "pong" }'
    [fpm-socket]="127.0.3.8|kind = \"fastcgi\", socket = \"$calm/fpm.sock\", expect = { body = \"pong\" }"
    [s-server]='127.0.3.9|kind = "https", port = 8443, host = "web.example.com", ca = "ca.pem"'
    [s-server-tls]='127.0.3.10|kind = "tls", port = 8443, server_name = "web.example.com", ca = "ca.pem"'
)

prepare_calm() {
    mkdir -p "$calm/www" "$calm/zones"
    echo 'all is well' >"$calm/www/healthz"
    # More than a probe reads before the verdict, and less than it reads in all.
    head -c 15000 /dev/zero | tr '\0' x >"$calm/www/large"
    cp "$probed/ca.pem" "$calm/zones/"
    cat >"$calm/nginx.conf" <<END
user root;
worker_processes 1;
daemon off;
pid $calm/nginx.pid;
error_log $calm/nginx.log warn;
events {}
http {
    access_log $calm/nginx-access.log;
    client_body_temp_path $calm/body;
    proxy_temp_path $calm/proxy;
    fastcgi_temp_path $calm/fastcgi;
    uwsgi_temp_path $calm/uwsgi;
    scgi_temp_path $calm/scgi;
    server {
        listen 127.0.3.1:8080;
        listen 127.0.3.1:8081;
        root $calm/www;
    }
}
END
    cat >"$calm/apache.conf" <<END
ServerRoot $calm
ServerName web.example.com
PidFile $calm/apache.pid
Listen 127.0.3.2:8080
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
DocumentRoot $calm/www
ErrorLog $calm/apache.log
LogLevel info
DefaultRuntimeDir $calm
END
    cat >"$calm/lighttpd.conf" <<END
server.document-root = "$calm/www"
server.bind = "127.0.3.3"
server.port = 8080
server.errorlog = "$calm/lighttpd.log"
END
    cat >"$calm/fpm.conf" <<END
[global]
error_log = $calm/fpm.log
daemonize = no
[tcp]
listen = 127.0.3.7:9000
pm = static
pm.max_children = 2
ping.path = /ping
[unix]
listen = $calm/fpm.sock
pm = static
pm.max_children = 2
ping.path = /ping
END
    {
        printf 'zone = "calm.test"\nnameservers = ["ns.example.net."]\n'
        local name
        for name in "${!calm_checks[@]}"; do
            printf '\n[services.%s]\ncheck = { interval = "100ms", timeout = "100ms", %s }\n' \
                "$name" "${calm_checks[$name]#*|}"
            printf 'endpoints = ["%s"]\n' "${calm_checks[$name]%%|*}"
        done
    } >"$calm/zones/calm.test.toml"
    cat >"$calm/waypost.toml" <<END
[listen]
addresses = ["127.0.3.100:5300"]
workers = 1
[log]
format = "json"
[checks]
freeze_share = 1
END
}

# start_calm: starts the servers, and a Waypost that probes them from now on.
start_calm() {
    local fpm
    fpm=$(compgen -G '/usr/sbin/php-fpm*' | head -n 1)
    prepare_calm
    start calm-nginx nginx -e "$calm/nginx.log" -c "$calm/nginx.conf"
    start calm-apache "${as_a_user[@]}" apache2 -D FOREGROUND -f "$calm/apache.conf"
    start calm-lighttpd lighttpd -D -f "$calm/lighttpd.conf"
    start calm-php php -S 127.0.3.4:8080 -t "$calm/www"
    start calm-python /usr/bin/python3 -m http.server --bind 127.0.3.5 --directory "$calm/www" 8080
    start calm-python-tcp /usr/bin/python3 -m http.server --bind 127.0.3.6 \
        --directory "$calm/www" 8080
    start calm-fpm "${as_a_user[@]}" "$fpm" -F -y "$calm/fpm.conf"
    start calm-s-server openssl s_server -accept 127.0.3.9:8443 -www \
        -cert "$probed/good.pem" -key "$probed/good.key"
    start calm-s-server-tls openssl s_server -accept 127.0.3.10:8443 -www \
        -cert "$probed/good.pem" -key "$probed/good.key"
    local address
    for address in 127.0.3.{1..6}:8080 127.0.3.7:9000; do
        wait_until 20 php -r "exit(@fsockopen('${address%:*}', ${address#*:}) ? 0 : 1);" ||
            fail_now "nobody listens on $address: $(tail -n 5 "$work"/calm-*.log)"
    done
    wait_until 20 test -S "$calm/fpm.sock" || fail_now "no php-fpm: $(cat "$work/calm-fpm.log")"
    # Traces of these attempts in the logs are not those of probes.
    : >"$work/calm-python.log"
    : >"$work/calm-python-tcp.log"
    RUST_LOG=info,waypost::checker=debug start calm "$WAYPOST" serve --zones "$calm/zones" \
        --config "$calm/waypost.toml"
}

# probes ADDRESS PATTERN: prints how many probes in the log match the pattern.
probes() { grep -F "\"address\":\"$1\"" "$work/calm.log" | grep -cE -- "$2" || true; }

# logged_address NAME: prints the address of a server as the log writes it.
logged_address() {
    local address=${calm_checks[$1]%%|*} check=${calm_checks[$1]#*|} port
    port=$(grep -oE 'port = [0-9]+' <<<"$check" | grep -oE '[0-9]+' || true)
    case $1 in
        fpm) echo "$address:9000" ;;
        fpm-socket) echo 127.0.0.1 ;;
        *) echo "$address:$port" ;;
    esac
}

are_probed_enough() {
    local name
    for name in "${!calm_checks[@]}"; do
        (($(probes "$(logged_address "$name")" '"verdict"') >= PROBES)) || return 1
    done
}

# never_fails NAME: none of its probes failed, but for a few that were late.
never_fails() {
    local address failed late
    address=$(logged_address "$1")
    failed=$(probes "$address" '"verdict":"Fail"')
    late=$(probes "$address" '"verdict":"Fail".*within 100ms')
    printf '%d failed, %d of them late\n' "$failed" "$late"
    grep -F "\"address\":\"$address\"" "$work/calm.log" | grep '"verdict":"Fail"' | head -n 3
    ((failed == late && late <= LATE_MAX))
}

# logs_no_error FILE NAME...: the file has no lines of errors, aborts and their like. Only probes of
# NAME... that were late, and so ended in the middle, may leave a trace of four lines each.
logs_no_error() {
    local lines late=0 name
    lines=$(grep -iE 'error|abort|reset|traceback|broken pipe|eof|fail|crit|alert' "$1" || true)
    for name in "${@:2}"; do
        ((late += $(probes "$(logged_address "$name")" '"verdict":"Fail".*within 100ms'))) || true
    done
    printf '%d probes were late; lines:\n%s\n' "$late" "$(head -n 20 <<<"$lines")"
    (($(grep -c . <<<"$lines") <= 4 * late))
}

no_499() { ! grep -E '" 499 ' "$calm/nginx-access.log"; }

# end_calm: waits until all servers are probed enough, and tests what was found.
end_calm() {
    local name deadline=$((SECONDS + PROBES / 10 + 60))
    # Not more often: the log is long, and the probes share the machine.
    until are_probed_enough; do
        ((SECONDS < deadline)) || fail_now "too few probes in time"
        sleep 1
    done
    end calm
    for name in "${!calm_checks[@]}"; do
        test_that "$name: none of $PROBES probes fails" never_fails "$name"
    done
    test_that "nginx: no error in its log" logs_no_error "$calm/nginx.log" nginx nginx-status
    test_that "fpm: no error in its log" logs_no_error "$calm/fpm.log" fpm fpm-socket
    for name in apache lighttpd; do
        test_that "$name: no error in its log" logs_no_error "$calm/$name.log" "$name"
    done
    for name in php python python-tcp s-server s-server-tls; do
        test_that "$name: no error in its log" logs_no_error "$work/calm-$name.log" "$name"
    done
    test_that "nginx: no client went before its time" no_499
    for name in "${!running[@]}"; do [[ $name != calm-* ]] || end "$name"; done
}
