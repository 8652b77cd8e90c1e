# Programs that check domains of the real Internet find nothing wrong: Zonemaster and DNSViz.
# shellcheck shell=bash

# shellcheck source=tests/clients/internet/stage.sh
. "$here/internet/stage.sh"

# The zone that comes with Waypost, under another name, and the zone that `waypost init` writes,
# with two name servers.
zones=$work/checkers
mkdir "$zones"
sed 's/example\.com/stock.test/g' zones/example.com.toml >"$zones/stock.test.toml"
mkdir "$work/init"
env -C "$work/init" "$WAYPOST" init readme.test >"$work/init/log" || fail_now "$(cat "$work/init/log")"
sed -e 's/^nameservers = .*/nameservers = ["ns1", "ns2"]/' \
    -e 's/^ns1 = .*/ns1 = { A = "192.0.2.53" }\nns2 = { A = "198.51.100.53" }/' \
    "$work/init/zones/readme.test.toml" >"$zones/readme.test.toml"
build_internet "$zones"

# by_zonemaster ZONE: every test ran, and nothing is worse than a notice. The profile overlooks one
# thing, that the servers' addresses are reserved ones: here they must be.
by_zonemaster() {
    local output
    output=$(env -C "$internet" timeout 90 zonemaster-cli --hints root.hints --level INFO \
        --profile zonemaster.json --show-testcase "$1") || return 1
    grep -E ' (NOTICE|WARNING|ERROR|CRITICAL) ' <<<"$output" || true
    grep -q ' ZONE10 ' <<<"$output" || { echo 'it did not come to an end'; return 1; }
    ! grep -qE ' (WARNING|ERROR|CRITICAL) ' <<<"$output"
}

# by_dnsviz NAME...: from the root down, no error and no warning. -E tests EDNS in many ways; -P
# permits reserved addresses.
by_dnsviz() {
    local output probe=$internet/probe.json
    timeout 90 dnsviz probe -A -E -a . -x .:a.root=203.0.113.1 -o "$probe" "$@" || return 1
    php "$here/internet/asked.php" "$probe" "$@" || return 1
    output=$(timeout 60 dnsviz grok -P -l warning -r "$probe") || return 1
    printf '%s\n' "$output"
    [[ -z $output || $output == '{}' ]]
}

for zone in stock.test readme.test; do
    test_that "zonemaster: nothing to warn of in $zone" by_zonemaster "$zone"
    test_that "dnsviz: nothing to warn of in $zone" by_dnsviz "$zone"
done
test_that "dnsviz: nothing to warn of at services, aliases and wildcards" \
    by_dnsviz web.stock.test blog.stock.test any.dev.stock.test mail.stock.test
