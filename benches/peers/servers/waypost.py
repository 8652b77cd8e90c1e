"""Waypost, built from this tree in release. Its rate limit is off."""

import subprocess

from settings import CHECKED_PORT
from workloads import ORIGIN, master_lines

PROGRAM = "target/release/waypost"


def version():
    return subprocess.run([PROGRAM, "--version"], capture_output=True, text=True).stdout.strip()


def note(_workload):
    return ""


def write(workload, directory, port, workers):
    zones = directory / "zones"
    zones.mkdir()
    # A zone file names its plain records in a master file; without services that is all of it.
    with open(zones / f"{ORIGIN}.zone", "w") as file:
        file.writelines(master_lines(workload, services_too=False))
    services = workload.services()
    if services:
        with open(zones / f"{ORIGIN}.toml", "w") as file:
            file.write(f'zone = "{ORIGIN}"\nrecords_file = "{ORIGIN}.zone"\n')
            file.write(f'[checks.up]\nkind = "tcp"\nport = {CHECKED_PORT}\n')
            file.writelines(map(service_text, services))
    config = directory / "waypost.toml"
    config.write_text(
        f'zones = "{zones}"\n'
        f'[listen]\naddresses = "127.0.0.1:{port}"\nworkers = {workers}\n'
        '[rate_limit]\nper_source = 0\nper_network = 0\n'
        '[log]\nlevel = "warn"\n'
    )
    return [PROGRAM, "serve", "--config", str(config)]


def service_text(service):
    endpoints = ", ".join(
        f'"{address}"' if service.every else f'{{ address = "{address}", weight = {weight} }}'
        for address, weight in service.endpoints
    )
    return f'[services.{service.label}]\ncheck = "up"\nendpoints = [{endpoints}]\n'
