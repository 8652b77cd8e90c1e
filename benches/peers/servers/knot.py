"""Knot DNS: weights or places by its module geoip, which knows no health. No rate limit."""

import subprocess

import places
from workloads import ORIGIN, TTL, master_lines


def version():
    return subprocess.run(["knotd", "-V"], capture_output=True, text=True).stdout.strip()


def note(workload):
    services = workload.services()
    if not services:
        return ""
    if workload.located():
        return "one address a continent, no weights, no health"
    return "static records, no health" if services[0].every else "weights, no health"


def write(workload, directory, port, workers):
    services = workload.services()
    drawn = [service for service in services if not service.every]
    # The module answers for names that also stand in the zone.
    with open(directory / "zone", "w") as file:
        file.writelines(master_lines(workload, services_too=True))
    module = use = ""
    if drawn:
        with open(directory / "answers", "w") as file:
            file.writelines(map(service_text, drawn))
        mode = "weighted"
        if workload.located():
            mode = f"geodb\n    geodb-file: {places.database()}\n    geodb-key: continent/code"
        module = (
            f"mod-geoip:\n  - id: answers\n    config-file: {directory}/answers\n"
            f"    mode: {mode}\n    ttl: {TTL}\n"
        )
        use = "    module: mod-geoip/answers\n"
    config = directory / "knot.conf"
    config.write_text(
        f"server:\n    listen: 127.0.0.1@{port}\n    rundir: {directory}\n"
        f"    udp-workers: {workers}\n    tcp-workers: 1\n    background-workers: 1\n"
        + ("    edns-client-subnet: on\n" if workload.subnets else "")
        + f"log:\n  - target: stderr\n    any: warning\n"
        f"database:\n    storage: {directory}\n{module}"
        f"zone:\n  - domain: {ORIGIN}\n    file: {directory}/zone\n"
        f"    zonefile-sync: -1\n    journal-content: none\n{use}"
    )
    return ["knotd", "-c", str(config)]


def service_text(service):
    if service.pools:
        return f"{service.label}.{ORIGIN}:\n" + "".join(
            f'  - geo: "{continent}"\n    A: {pool.endpoints[0][0]}\n'
            for pool in service.pools
            for continent in pool.continents
        )
    lines = (f"  - weight: {weight}\n    A: {address}\n" for address, weight in service.endpoints)
    return f"{service.label}.{ORIGIN}:\n" + "".join(lines)
