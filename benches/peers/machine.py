"""What the figures were measured on and with."""

import datetime
import functools
import os
import platform
import re
import shlex
import subprocess
import sys

import servers


def cpu_model():
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def dnsperf_version():
    run = subprocess.run(["dnsperf", "-h"], capture_output=True, text=True)
    found = re.search(r"Version (\S+)", run.stdout + run.stderr)
    return f"dnsperf {found[1]}" if found else "dnsperf"


@functools.cache
def commit():
    """What is checked out when this is first asked: before the first measurement."""
    run = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True)
    return run.stdout.strip() or "no repository"


def provenance():
    """What made a table, and when."""
    command = shlex.join(["benches/peers/run", *sys.argv[1:]])
    today = datetime.datetime.now(datetime.timezone.utc).date()
    return f"`{command}`, {today}, commit {commit()}."


def description(names):
    versions = ", ".join(servers.ALL[name].version() for name in names if name != "echo")
    return (
        f"- machine: {cpu_model()}, {os.cpu_count()} cores, Linux {platform.release()}\n"
        f"- servers: {versions}; load: {dnsperf_version()}; Waypost at commit {commit()}\n"
    )
