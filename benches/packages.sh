# Installs the packages that a benchmark needs.
# shellcheck shell=bash

# install_packages ARGUMENTS...: installs what `missing_packages ARGUMENTS...` of the script prints,
# without starting the servers in it: this machine may use port 53. `die` is the script's own, too.
install_packages() {
    local missing as_root=() policy=/usr/sbin/policy-rc.d
    missing=$(missing_packages "$@")
    [[ -n $missing ]] || return 0
    missing=${missing//$'\n'/ }
    command -v apt-get >/dev/null || die "please install what these Debian packages hold: $missing"
    if ((EUID != 0)); then
        command -v sudo >/dev/null || die "neither root nor sudo: please install $missing"
        as_root=(sudo)
    fi
    if [[ ! -e $policy ]]; then
        printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" install -m 755 /dev/stdin $policy
        # shellcheck disable=SC2064 # the words as they are now
        trap "${as_root[*]} rm -f $policy" EXIT
    fi
    "${as_root[@]}" apt-get update -q </dev/null || die "apt-get update failed; missing: $missing"
    # shellcheck disable=SC2086 # a list of words
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends $missing </dev/null ||
        die "apt-get could not install $missing"
    if [[ -n $(trap -p EXIT) ]]; then
        "${as_root[@]}" rm -f $policy
        trap - EXIT
    fi
    missing=$(missing_packages "$@")
    [[ -z $missing ]] || die "still missing after the installation: $missing"
}
