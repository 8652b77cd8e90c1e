"""Knot DNS: weights by its module geoip, which knows no health. Its rate limit is not loaded."""

import subprocess

from workloads import ORIGIN, TTL, master_lines


def version():
    return subprocess.run(["knotd", "-V"], capture_output=True, text=True).stdout.strip()


def note(workload):
    services = workload.services()
    if not services:
        return ""
    return "static records, no health" if services[0].every else "weights, no health"


def write(workload, directory, port, workers):
    services = workload.services()
    weighted = [service for service in services if not service.every]
    # The module answers for names that also stand in the zone.
    with open(directory / "zone", "w") as file:
        file.writelines(master_lines(workload, services_too=True))
    module = use = ""
    if weighted:
        with open(directory / "weights", "w") as file:
            file.writelines(map(service_text, weighted))
        module = (
            f"mod-geoip:\n  - id: weights\n    config-file: {directory}/weights\n"
            f"    mode: weighted\n    ttl: {TTL}\n"
        )
        use = "    module: mod-geoip/weights\n"
    config = directory / "knot.conf"
    config.write_text(
        f"server:\n    listen: 127.0.0.1@{port}\n    rundir: {directory}\n"
        f"    udp-workers: {workers}\n    tcp-workers: 1\n    background-workers: 1\n"
        f"log:\n  - target: stderr\n    any: warning\n"
        f"database:\n    storage: {directory}\n{module}"
        f"zone:\n  - domain: {ORIGIN}\n    file: {directory}/zone\n"
        f"    zonefile-sync: -1\n    journal-content: none\n{use}"
    )
    return ["knotd", "-c", str(config)]


def service_text(service):
    lines = (f"  - weight: {weight}\n    A: {address}\n" for address, weight in service.endpoints)
    return f"{service.label}.{ORIGIN}:\n" + "".join(lines)
