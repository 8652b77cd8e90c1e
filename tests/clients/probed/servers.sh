# The servers of Debian that the checks probe. Each has its files in $work, an address of its own,
# and a session of its own, so that all of its processes can be signalled.
# shellcheck shell=bash

PATH=$PATH:$(printf '%s:' /usr/lib/postgresql/*/bin)
probed=$work/probed
# The addresses of each server; the first one tells that it is there. unbound listens over UDP.
declare -A listens=(
    [nginx]="127.0.2.1:80 127.0.2.1:443" [grpc]="127.0.2.6:50051 127.0.2.6:50052"
    [redis]="127.0.2.2:6379"
    [mariadb]="127.0.2.3:3306" [postgres]="127.0.2.4:5432" [unbound]="127.0.2.5:53"
)

# certificate NAME SUBJECT FIRST LAST: writes NAME.pem, which the authority issues for that time,
# and its key.
certificate() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -subj "/CN=$2" \
        -addext "subjectAltName=DNS:$2" -keyout "$probed/$1.key" -out "$probed/$1.csr" &&
        openssl ca -batch -notext -config "$probed/ca.conf" -in "$probed/$1.csr" \
            -out "$probed/$1.pem" -startdate "$3" -enddate "$4"
}

issue_certificates() {
    cat >"$probed/ca.conf" <<EOF
[ca]
default_ca = own
[own]
new_certs_dir = $probed
database = $probed/issued
rand_serial = yes
unique_subject = no
default_md = sha256
certificate = $probed/ca.pem
private_key = $probed/ca.key
policy = any
copy_extensions = copy
[any]
commonName = supplied
EOF
    : >"$probed/issued"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 30 \
        -subj /CN=authority -keyout "$probed/ca.key" -out "$probed/ca.pem" &&
        certificate good web.example.com 20200101000000Z 20491231000000Z &&
        certificate expired web.example.com 20200101000000Z 20200201000000Z &&
        certificate ending web.example.com 20200101000000Z "$(date -u -d '3 days' +%Y%m%d%H%M%SZ)"
}

configure_nginx() {
    mkdir "$probed/www" && echo 'all is well' >"$probed/www/healthz"
    echo '{"status": "ok", "checks": [{"name": "db", "errors": 0}]}' >"$probed/www/status"
    cat >"$probed/nginx.conf" <<EOF
user root;
worker_processes 1;
daemon off;
pid $probed/nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path $probed/body;
    proxy_temp_path $probed/proxy;
    fastcgi_temp_path $probed/fastcgi;
    uwsgi_temp_path $probed/uwsgi;
    scgi_temp_path $probed/scgi;
    server {
        listen 127.0.2.1:80;
        root $probed/www;
    }
    server {
        listen 127.0.2.1:443 ssl http2;
        root $probed/www;
        ssl_certificate $probed/good.pem;
        ssl_certificate_key $probed/good.key;
    }
    server {
        listen 127.0.2.1:444 ssl;
        root $probed/www;
        ssl_certificate $probed/expired.pem;
        ssl_certificate_key $probed/expired.key;
    }
    server {
        listen 127.0.2.1:445 ssl;
        root $probed/www;
        ssl_certificate $probed/ending.pem;
        ssl_certificate_key $probed/ending.key;
    }
}
EOF
}

configure_unbound() {
    cat >"$probed/unbound.conf" <<EOF
server:
    interface: 127.0.2.5
    do-daemonize: no
    username: ""
    chroot: ""
    directory: "$probed"
    pidfile: ""
    use-syslog: no
    local-zone: "inside.test." static
    local-data: "db.inside.test. 60 A 192.0.2.5"
EOF
}

# Runs a command as a user that PostgreSQL takes: it refuses to run as root.
as_a_user=(unshare --user --map-user=1000 --map-group=1000)

prepare_servers() {
    mkdir "$probed" && issue_certificates && configure_nginx && configure_unbound &&
        mariadb-install-db --no-defaults --user=root --datadir="$probed/mariadb" \
            --skip-test-db --auth-root-authentication-method=normal &&
        "${as_a_user[@]}" initdb --no-sync -A trust -U postgres "$probed/postgres"
}

# run_server NAME: becomes that server, in the place of this shell.
run_server() {
    case $1 in
        nginx) exec setsid nginx -e stderr -c "$probed/nginx.conf" ;;
        redis) exec setsid redis-server --bind 127.0.2.2 --save '' --dir "$probed" ;;
        mariadb)
            exec setsid mariadbd --no-defaults --user=root --datadir="$probed/mariadb" \
                --bind-address=127.0.2.3 --socket="$probed/mariadb.sock" --skip-name-resolve \
                --innodb-flush-log-at-trx-commit=0 --pid-file="$probed/mariadb.pid" ;;
        postgres)
            exec setsid "${as_a_user[@]}" postgres -D "$probed/postgres" -h 127.0.2.4 \
                -k "$probed" -c fsync=off ;;
        grpc)
            # Debian's Python, which has the library of gRPC.
            exec setsid /usr/bin/python3 "$here/probed/health.py" 127.0.2.6 50051 50052 \
                "$probed/good.pem" "$probed/good.key" ;;
        unbound) exec setsid unbound -c "$probed/unbound.conf" ;;
    esac
}

is_there() {
    local first=${listens[$1]%% *}
    case $1 in
        unbound) dig +time=1 +tries=1 @127.0.2.5 db.inside.test A | grep -q 192.0.2.5 ;;
        postgres) pg_isready -q -h 127.0.2.4 ;;
        *) php -r "exit(@fsockopen('${first%:*}', ${first#*:}, \$e, \$t, 1) ? 0 : 1);" ;;
    esac
}

start_servers() {
    local name
    for name in "${!listens[@]}"; do start "$name" run_server "$name"; done
    for name in "${!listens[@]}"; do
        wait_until 30 is_there "$name" ||
            fail_now "$name does not start: $(tail -n 20 "$work/$name.log")"
    done
}

# signal_servers SIGNAL: signals every process of every server.
signal_servers() {
    local name
    for name in "${!listens[@]}"; do kill "-$1" -- "-${running[$name]}"; done
}

kill_servers() {
    local name
    signal_servers KILL
    for name in "${!listens[@]}"; do end "$name"; done
    # PostgreSQL's children notice by themselves that they are alone.
    wait_until 10 postgres_is_gone || fail_now "PostgreSQL does not die"
}

postgres_is_gone() { ! pgrep -f "^postgres: |postgres -D $probed" >/dev/null; }
