# A small Internet: NSD is the root and the parent, and two servers of Waypost are below it.
# shellcheck shell=bash
#
# Every address is reserved for documentation, and is on the loopback of this namespace.

internet=$work/internet
ns1=(192.0.2.53 2001:db8::53)
ns2=(198.51.100.53 2001:db8:2::53)

# build_internet ZONES: starts all servers; the two of Waypost serve the zones in that directory.
build_internet() {
    local address
    for address in 203.0.113.1 203.0.113.2 "${ns1[0]}" "${ns2[0]}"; do
        ip address replace "$address/32" dev lo
    done
    for address in "${ns1[1]}" "${ns2[1]}"; do
        ip address replace "$address/128" dev lo nodad
    done
    mkdir -p "$internet"
    cp "$here"/internet/*.{conf,zone,hints,json} "$internet"
    start nsd env -C "$internet" nsd -d -c nsd.conf
    wait_until 10 resolves 203.0.113.1 stock.test NS || fail_now "nsd: $(cat "$work/nsd.log")"
    serve_as ns1 "$1" "${ns1[@]}"
    serve_as ns2 "$1" "${ns2[@]}"
}

# serve_as NAME ZONES IPV4 IPV6: starts a server of Waypost at these addresses.
serve_as() {
    start "$1" "$WAYPOST" serve --config "$here/internet/waypost.toml" --zones "$2" \
        --listen "$3:53" --listen "[$4]:53" --workers 1
    wait_until 10 grep -q listening "$work/$1.log" || fail_now "$1: $(cat "$work/$1.log")"
}

# resolves SERVER NAME TYPE: whether the server answers with NOERROR.
resolves() {
    dig "@$1" +time=1 +tries=1 "$2" "$3" | grep -q 'status: NOERROR'
}

# resolver NAME ADDRESS COMMAND...: starts a resolver, and waits until it knows the parent. It runs
# a copy of the program: AppArmor may keep the original from our files.
resolver() {
    local name=$1 address=$2 program
    # BIND listens only on addresses that it finds at an interface.
    ip address replace "$address/8" dev lo
    program=$internet/$name
    cp "$(command -v "$3")" "$program"
    shift 3
    start "$name" env -C "$internet" "$program" "$@"
    wait_until 20 resolves "$address" test NS || fail_now "$name: $(cat "$work/$name.log")"
}
