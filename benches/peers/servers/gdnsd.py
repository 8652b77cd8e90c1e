"""gdnsd: the plugins weighted and multifo, monitored by tcp_connect. It has no rate limit."""

import re
import subprocess

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
        plugin = "multifo" if service.every else "weighted"
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
            file.write("} }\n")
    return ["gdnsd", "-c", str(directory), "start"]


def service_text(service):
    members = " ".join(
        f"e{at} = {address}" if service.every else f"e{at} = [ {address}, {weight} ]"
        for at, (address, weight) in enumerate(service.endpoints)
    )
    return f"  {service.label} => {{ {members} }}\n"
