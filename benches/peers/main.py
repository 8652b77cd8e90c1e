"""CPU time an answer, beside other servers and beside an echo. Started by benches/peers/run."""

import argparse
import signal
import subprocess
import sys

import machine
import processes
import rounds
import scaling
import servers
from table import table
from workloads import WORKLOADS

# Queries a second in the first of the two loads; all servers but PowerDNS carry it.
RATE = 40_000


def arguments():
    parser = argparse.ArgumentParser(prog="benches/peers/run", description=__doc__)
    keys = [workload.key for workload in WORKLOADS] + ["scaling"]
    add = parser.add_argument
    add("--rounds", type=int, default=5, help="every server once in each (default: 5)")
    add("--seconds", type=float, default=2, help="of each measurement (default: 2)")
    add("--rate", type=int, default=RATE, help=f"queries a second (default: {RATE})")
    add("--workload", action="append", choices=keys, help="only this; may be given several times")
    add("--peer", action="append", choices=list(servers.ALL), help="only this and the echo")
    add("--publish", action="store_true", help="write the tables into docs/performance.md")
    add("--smoke", action="store_true", help="does it work: half a second of Waypost and the echo")
    given = parser.parse_args()
    if given.smoke:
        given.rounds, given.seconds, given.peer = 1, 0.5, ["waypost"]
        given.workload = given.workload or ["static", "geo", "geo_ecs"]
    given.peer = ["echo", *(given.peer or servers.ALL)]
    given.peer = [name for name in servers.ALL if name in given.peer]
    given.workload = given.workload or keys
    return given


def publish(part, text):
    command = ["benches/publish", "docs/performance.md", part]
    subprocess.run(command, input=text, text=True, check=True)


def measure(workload, given):
    """The tables of a workload: at a fixed rate, and with as many queries as are answered."""
    results, notes, absent = rounds.run(
        workload, given.peer, given.rounds, given.seconds, (given.rate, 0)
    )
    if given.smoke and (absent or "waypost" not in results[0]):
        sys.exit(f"not all that should have run did: {absent}")
    fixed = f"{workload.key}: {workload.title}; {given.rate:,} queries a second"
    text = table(fixed, results[given.rate], notes, absent) + "\n"
    text += table("As many as are answered", results[0], notes, absent) + "\n"
    return text + f"{machine.provenance()}\n"


def main():
    given = arguments()
    # An end from outside ends the servers, too, as Ctrl-C does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    try:
        description = machine.description(given.peer)
        print(description)
        for key in given.workload:
            if key == "scaling":
                text = scaling.measure(given)
            else:
                text = measure(next(w for w in WORKLOADS if w.key == key), given)
            print(text, flush=True)
            if given.publish:
                publish(key, text)
        if given.publish:
            publish("machine", description)
    finally:
        processes.end_all()


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
