"""One measurement: load on one server for some seconds, and what it cost the server."""

import re
import subprocess
from dataclasses import dataclass

import processes
from settings import CLIENTS, LOAD_CORE, OUTSTANDING, WARM_UP


@dataclass(frozen=True)
class Sample:
    """What one measurement gave. Times are of the server's processes, in microseconds."""

    user: float
    system: float
    cpu: float  # user and system, measured finer
    rate: float  # answers a second
    lost: float  # the share of (well-formed) queries without an answer


def dnsperf(port, queries, seconds, rate):
    """Runs dnsperf; returns (answered, sent, seconds)."""
    limit = ["-Q", str(rate)] if rate else []
    text = generator(
        ["dnsperf", "-s", "127.0.0.1", "-p", str(port), "-d", str(queries), "-e"]
        + ["-c", str(CLIENTS), "-T", "1", "-q", str(OUTSTANDING), "-t", "1", "-b", "4096"]
        + ["-l", str(seconds)] + limit
    )
    number = lambda what: float(re.search(rf"{what}:\s+([\d.]+)", text)[1])
    return number("Queries completed"), number("Queries sent"), number(r"Run time \(s\)")


def mixed(port, label, seconds, rate, packets):
    """Runs benches/peers/mixed.c; returns (well-formed answered, well-formed sent, seconds)."""
    text = generator(
        ["target/peers/mixed", "127.0.0.1", str(port), label, str(seconds), str(rate), packets]
    )
    answered, sent, took = map(float, text.split())
    return answered, sent, took


def generator(command):
    """Runs a load generator on its core; returns what it printed."""
    command = ["taskset", "-c", str(LOAD_CORE), *command]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    return run.stdout


def sample(load, process):
    """Puts `load`, a function of seconds, on a server that runs; returns a `Sample`."""
    load(WARM_UP)
    family = processes.family(process.pid)
    before = processes.cpu_seconds(family)
    answered, sent, took = load(None)
    after = processes.cpu_seconds(family)
    if not answered:
        raise RuntimeError("no query was answered")
    spent = (1e6 * (b - a) / answered for a, b in zip(before, after))
    return Sample(*spent, answered / took, 1 - answered / sent)
