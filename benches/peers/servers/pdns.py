"""PowerDNS Authoritative: the bind backend, Lua records for what steers. It has no rate limit.

Its caches are as it ships. Lua records run a program for each query; `ifportup` draws at random
among addresses that are up and knows no weights, `pickwrandom` weighs and knows no health.
"""

import subprocess

from settings import CHECKED_PORT
from workloads import ORIGIN, master_lines


def version():
    text = subprocess.run(["pdns_server", "--version"], capture_output=True, text=True)
    line = (text.stdout + text.stderr).splitlines()[0]
    return line[line.index("PowerDNS") :].split(" (C)")[0]


def note(workload):
    if workload.located():
        return "places need its GeoIP backend, which is not set up here"
    services = workload.services()
    if not services:
        return ""
    return "Lua: health" if services[0].every else "Lua: weights, no health"


def write(workload, directory, port, workers):
    if workload.located():
        return None
    with open(directory / "zone", "w") as file:
        file.writelines(master_lines(workload, services_too=True, steered=service_text))
    named = directory / "named.conf"
    named.write_text(f'zone "{ORIGIN}" {{ type native; file "{directory}/zone"; }};\n')
    config = directory / "pdns.conf"
    config.write_text(
        f"launch=bind\nbind-config={named}\nlocal-address=127.0.0.1\nlocal-port={port}\n"
        f"receiver-threads={workers}\ndistributor-threads=1\nsocket-dir={directory}\n"
        "reuseport=yes\nenable-lua-records=shared\nloglevel=3\nwebserver=no\n"
        "security-poll-suffix=\n"
    )
    return ["pdns_server", f"--config-dir={directory}", "--daemon=no", "--guardian=no"]


def service_text(service):
    if service.every:
        addresses = ",".join(f"'{address}'" for address, _ in service.endpoints)
        lua = f"ifportup({CHECKED_PORT}, {{{addresses}}}, {{selector='all'}})"
    else:
        pairs = ",".join(f"{{{weight},'{address}'}}" for address, weight in service.endpoints)
        lua = f"pickwrandom({{{pairs}}})"
    return f'{service.label} LUA A "{lua}"\n'
