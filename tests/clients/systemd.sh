# The unit file: its command line alone, and all of it under a systemd that is PID 1 of namespaces
# of its own.
# shellcheck shell=bash

unit=contrib/systemd/waypost.service
((EUID == 0)) && unshare --cgroup true 2>/dev/null && [[ $(</proc/self/uid_map) == *4294967295 ]] ||
    fail_now "systemd as PID 1 of a namespace takes root: sudo tests/clients/run systemd"
system=$work/systemd
mkdir "$system"

# The command line, in the directory that the unit names, where waypost.toml has the addresses.
command_line=$(sed -n 's/^ExecStart=//p' "$unit")
read -ra command_line <<<"$command_line"
test_that "the unit runs waypost serve" test "${command_line[*]}" = "/usr/local/bin/waypost serve"
mkdir "$system/etc"
cp contrib/systemd/waypost.toml "$system/etc/"
# The zone's checks probe loopback, which must be allowed to a server that others can reach.
allowed='[checks]
allow = "127.0.0.0/8"'
echo "$allowed" >>"$system/etc/waypost.toml"
start waypost env -C "$system/etc" "$WAYPOST" "${command_line[@]:1}"
test_that "the command line of the unit starts with the settings beside it" \
    wait_until 10 grep -qE 'listening.*\[::\]:53' "$work/waypost.log"
test_that "without a zone directory it says that it serves nothing" \
    grep -q 'nothing is served until a zone file is there' "$work/waypost.log"
refuses() { prints 'status: REFUSED' dig "@$1" +norecurse +time=1 +tries=1 static.example.com; }
test_that "and answers REFUSED" refuses 127.0.0.1
mkdir "$system/etc/zones"
cp "$here/zones/example.com.toml" "$system/etc/zones/"
has_zone() { dig "@$1" +norecurse +time=1 +tries=1 +short static.example.com | grep -qx 192.0.2.80; }
for server in 127.0.0.1 ::1; do
    test_that "a zone that appears is served at $server" wait_until 10 has_zone "$server"
done
end waypost

# Prepares a machine with the unit in it, and becomes its systemd. Nothing of it is visible outside.
cat >"$system/boot" <<'END'
#!/bin/bash
set -eu
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
mkdir -p /run/etc/upper /run/etc/work
mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work /etc
rm -rf /etc/waypost
mount -t tmpfs tmpfs /etc/systemd
mount -t tmpfs tmpfs /var
mount -t tmpfs tmpfs /usr/local/bin
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /var/lib /var/log /var/tmp /etc/systemd/system/waypost.service.d
install -m 755 "$WAYPOST" /usr/local/bin/waypost
install -m 644 "$UNIT" /etc/systemd/system/waypost.service
# The log is read from outside, so it goes into a file.
printf '[Service]\nStandardError=append:%s\n' "$LOG" >/etc/systemd/system/waypost.service.d/log.conf
for target in sysinit basic shutdown umount final network-online multi-user; do
    printf '[Unit]\nDefaultDependencies=no\n' >"/etc/systemd/system/$target.target"
done
# systemd mounts credentials in another namespace; shared mounts make them visible here.
mount --make-rshared /
exec env -i PATH="$PATH" container=waypost-test SYSTEMD_UNIT_PATH=/etc/systemd/system \
    /lib/systemd/systemd --system --unit=multi-user.target --log-target=console
END
chmod +x "$system/boot"
log=$work/unit.log
: >"$log"
cat >"$system/machine" <<'END'
#!/bin/bash
unshare --mount --cgroup --pid --ipc --uts --fork --kill-child "$@" &
# unshare takes no other signal; with --kill-child its systemd ends, too.
trap 'kill -KILL $!' TERM
wait
END
chmod +x "$system/machine"
start systemd env WAYPOST="$WAYPOST" UNIT="$PWD/$unit" LOG="$log" "$system/machine" "$system/boot"

has_begun() { init=$(pgrep -P "$(pgrep -P "${running[systemd]}")"); }
wait_until 20 has_begun || fail_now "no namespace for systemd: $(cat "$work/systemd.log")"
# The command that runs others on that machine.
inside=(timeout 60 nsenter --target "$init" --mount --pid --cgroup --uts --ipc --)
is_running() { [[ $("${inside[@]}" systemctl is-system-running 2>&1) == running ]]; }
wait_until 20 is_running || fail_now "systemd does not start: $(cat "$work/systemd.log")"
log_has() { wait_until 15 grep -qE -- "$1" "$log" || { cat "$log"; false; }; }
# in_file PATH: writes standard input into a file of that machine.
in_file() { "${inside[@]}" bash -c 'mkdir -p "${1%/*}" && cat >"$1"' _ "$1"; }
property() { "${inside[@]}" systemctl show --value -p "$1" waypost; }
is() { # is PROPERTY VALUE
    [[ $(property "$1") == "$2" ]] || { echo "$1 is $(property "$1")"; false; }
}

test_that "systemd finds nothing wrong with the unit" prints_not . \
    "${inside[@]}" systemd-analyze verify /etc/systemd/system/waypost.service
test_that "it starts on a machine without any file of Waypost" "${inside[@]}" systemctl start waypost
test_that "and is active" is ActiveState active
test_that "it says that it serves nothing" log_has 'nothing is served until a zone file is there'
is_at_5300() { prints 'status: REFUSED' dig @127.0.0.1 -p 5300 +time=1 +tries=1 static.example.com; }
test_that "it answers REFUSED where it listens by default" is_at_5300

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -noenc -days 30 -subj /CN=unit \
    -keyout "$system/key.pem" -out "$system/cert.pem" 2>"$work/openssl.log" ||
    fail_now "openssl: $(cat "$work/openssl.log")"
in_file /etc/waypost/cert.pem <"$system/cert.pem"
in_file /etc/waypost/key.pem <"$system/key.pem"
"${inside[@]}" chmod 600 /etc/waypost/key.pem
in_file /etc/waypost/waypost.toml <<END
$allowed
[listen]
addresses = ["127.0.0.1:53", "192.0.2.1:53"]
tls = "127.0.0.1:853"
[tls]
certificate = "/etc/waypost/cert.pem"
key = "/run/credentials/waypost.service/key.pem"
END
in_file /etc/systemd/system/waypost.service.d/key.conf <<'END'
[Service]
LoadCredential=key.pem:/etc/waypost/key.pem
END
"${inside[@]}" systemctl daemon-reload
test_that "with settings and a key it starts anew" "${inside[@]}" systemctl restart waypost
test_that "the first line of its log names the settings" \
    log_has 'waypost .* serves .* with the settings of /etc/waypost/waypost\.toml'
in_file /etc/waypost/zones/example.com.toml <"$here/zones/example.com.toml"
test_that "a zone that appears is served" wait_until 15 has_zone 127.0.0.1
over_tls() { prints '^192\.0\.2\.80$' kdig @127.0.0.1 +tls +short +time=2 static.example.com; }
test_that "it presents the key that is readable for root alone" over_tls
test_that "it runs as a user of its own" prints_not '^0$' \
    "${inside[@]}" stat -c %u "/proc/$(property MainPID)"
test_that "its user may write no core" prints '^Max core file size +0 +0 ' \
    "${inside[@]}" cat "/proc/$(property MainPID)/limits"

test_that "an address that is not there yet is told" \
    log_has 'does not have the address of 192\.0\.2\.1:53 yet'
ip address add 192.0.2.1/32 dev lo
test_that "and answers once it has come" wait_until 10 has_zone 192.0.2.1

changed() { dig @127.0.0.1 +time=1 +tries=1 +short static.example.com | grep -qx 192.0.2.77; }
sed 's/192\.0\.2\.80/192.0.2.77/' "$here/zones/example.com.toml" |
    in_file /etc/waypost/zones/example.com.toml
test_that "systemctl reload reads the zones again" "${inside[@]}" systemctl reload waypost
test_that "and serves them" wait_until 10 changed
test_that "and it is still active" is ActiveState active

# Nothing listens at the addresses of the zone's endpoints: all of them turn down.
test_that "endpoints are found down" log_has 'web\.example\.com\./alpha is down'
test_that "it stops in time" "${inside[@]}" timeout 6 systemctl stop waypost
test_that "and well" is Result success
: >"$log"
test_that "it starts again" "${inside[@]}" systemctl start waypost
test_that "with the states that it had, unasked" log_has 'states? (resumed|.*resumed)|resumed [0-9]+ state'
states=/var/lib/waypost/states
test_that "which are kept in its state directory" "${inside[@]}" test -s "$states"

# A start follows every crash, however many there are.
crash() {
    local before
    before=$(property MainPID)
    "${inside[@]}" kill -KILL "$before"
    wait_until 15 restarted "$before"
}
restarted() { [[ $(property ActiveState) == active && $(property MainPID) != "$1" ]]; }
for attempt in 1 2 3 4 5 6; do
    test_that "crash $attempt is followed by a start" crash
done
test_that "and it answers" wait_until 10 changed
ip address delete 192.0.2.1/32 dev lo
"${inside[@]}" systemctl stop waypost
