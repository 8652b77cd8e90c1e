"""Waypost, built from this tree in release. Its rate limit is off."""

import subprocess

import places
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
    # A master file has the plain records of a zone file; without services it is the whole zone.
    with open(zones / f"{ORIGIN}.zone", "w") as file:
        file.writelines(master_lines(workload, services_too=False))
    services = workload.services()
    if services:
        with open(zones / f"{ORIGIN}.toml", "w") as file:
            file.write(f'zone = "{ORIGIN}"\nrecords_file = "{ORIGIN}.zone"\n')
            if workload.subnets:
                file.write("client_subnet = true\n")
            file.write(f'[checks.up]\nkind = "tcp"\nport = {CHECKED_PORT}\n')
            file.writelines(map(service_text, services))
    config = directory / "waypost.toml"
    config.write_text(
        f'zones = "{zones}"\n'
        f'[listen]\naddresses = "127.0.0.1:{port}"\nworkers = {workers}\n'
        '[rate_limit]\nper_source = 0\nper_network = 0\n'
        '[log]\nlevel = "warn"\n'
        + (f'[geo]\ndatabases = "{places.database()}"\n' if workload.located() else "")
    )
    return [PROGRAM, "serve", "--config", str(config)]


def service_text(service):
    text = f'[services.{service.label}]\ncheck = "up"\n'
    if not service.pools:
        return text + endpoints_text(service.endpoints, service.every)
    for pool in service.pools:
        text += f"pools.{pool.name}." + endpoints_text(pool.endpoints)
    routes = [
        f"{{ from = {{ continent = {list(pool.continents)} }}, to = {service.order_of(pool)} }}"
        for pool in service.pools
    ]
    # Clients of no continent above take the pools in this order, too.
    return text + f"routes = [{', '.join(routes)}]\n"


def endpoints_text(endpoints, every=False):
    members = ", ".join(
        f'"{address}"' if every else f'{{ address = "{address}", weight = {weight} }}'
        for address, weight in endpoints
    )
    return f"endpoints = [{members}]\n"
