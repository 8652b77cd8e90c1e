"""NSD: static only, as the closest that it has. Its response rate limit is off."""

import subprocess

from workloads import ORIGIN, master_lines


def version():
    text = subprocess.run(["nsd", "-v"], capture_output=True, text=True)
    return (text.stdout + text.stderr).splitlines()[0]


def note(workload):
    if workload.located():
        return "knows no places"
    return "static records" if workload.services() else ""


def write(workload, directory, port, workers):
    if workload.located():
        return None
    with open(directory / "zone", "w") as file:
        file.writelines(master_lines(workload, services_too=True))
    config = directory / "nsd.conf"
    config.write_text(
        f"server:\n  ip-address: 127.0.0.1@{port}\n  server-count: {workers}\n"
        f"  reuseport: yes\n  username: \"\"\n  zonesdir: {directory}\n"
        f"  pidfile: {directory}/pid\n  xfrdfile: {directory}/xfrd\n"
        f"  xfrdir: {directory}\n  zonelistfile: {directory}/list\n"
        "  rrl-ratelimit: 0\n  rrl-whitelist-ratelimit: 0\n  verbosity: 0\n"
        "remote-control:\n  control-enable: no\n"
        f"zone:\n  name: {ORIGIN}\n  zonefile: zone\n"
    )
    return ["nsd", "-d", "-c", str(config)]
