"""gdnsd: the plugins weighted, multifo and geoip, monitored by tcp_connect. No rate limit."""

import re
import subprocess

import places
from settings import CHECKED_PORT
from workloads import ORIGIN, TTL, master_lines


def version():
    text = subprocess.run(["gdnsd"], capture_output=True, text=True)
    found = re.search(r"version (\S+)", text.stdout + text.stderr)
    return f"gdnsd {found[1]}" if found else "gdnsd"


def note(_workload):
    return ""


def write(workload, directory, port, workers):
    (directory / "zones").mkdir()
    (directory / "run").mkdir()

    def steered(service):
        plugin = "geoip" if service.pools else "multifo" if service.every else "weighted"
        return f"{service.label} {TTL} DYNA {plugin}!{service.label}\n"

    with open(directory / "zones" / ORIGIN, "w") as file:
        file.writelines(master_lines(workload, services_too=True, steered=steered))
    with open(directory / "config", "w") as file:
        file.write(
            f"options => {{ listen => [ 127.0.0.1:{port} ], udp_threads = {workers},\n"
            f"  tcp_threads = 1, run_dir = {directory}/run, state_dir = {directory}/run }}\n"
            f"service_types => {{ connect => {{ plugin => tcp_connect,\n"
            f"  port => {CHECKED_PORT} }} }}\n"
        )
        services = workload.services()
        if services:
            plugin = "multifo" if services[0].every else "weighted"
            file.write(f"plugins => {{ {plugin} => {{ service_types = connect\n")
            file.writelines(map(service_text, services))
            file.write("}\n")
            file.writelines(map(places_text, (service for service in services if service.pools)))
            file.write("}\n")
    return ["gdnsd", "-c", str(directory), "start"]


def service_text(service):
    if not service.pools:
        return endpoints_text(service.label, service.endpoints, service.every)
    return "".join(
        endpoints_text(f"{service.label}-{pool.name}", pool.endpoints) for pool in service.pools
    )


def endpoints_text(name, endpoints, every=False):
    members = " ".join(
        f"e{at} = {address}" if every else f"e{at} = [ {address}, {weight} ]"
        for at, (address, weight) in enumerate(endpoints)
    )
    return f"  {name} => {{ {members} }}\n"


def places_text(service):
    """A service with pools: of the plugin geoip, which has the plugin weighted draw."""
    names = ", ".join(pool.name for pool in service.pools)
    where = " ".join(
        f"{continent} => [ {', '.join(service.order_of(pool))} ]"
        for pool in service.pools
        for continent in pool.continents
    )
    to = " ".join(
        f"{pool.name} => %weighted!{service.label}-{pool.name}" for pool in service.pools
    )
    return (
        f"  geoip => {{ maps => {{ places => {{ geoip2_db => {places.database()}\n"
        f"    datacenters => [ {names} ] map => {{ {where} }} }} }}\n"
        f"    resources => {{ {service.label} => {{ map => places dcmap => {{ {to} }} }} }} }}\n"
    )
