"""One worker and two, on both cores, which they share with the load generator.

With two cores there is no room to show twice the answers: the generator needs one of them. What can
be seen is that a second worker costs nothing: CPU time an answer stays what it was.
"""

from statistics import median

import machine
import rounds
from table import spread
from workloads import WORKLOADS

CORES = "0,1"

WORKERS = (1, 2)


def samples(given):
    """(workers, rate) → samples, in turns."""
    static = next(workload for workload in WORKLOADS if workload.key == "static")
    taken = {(workers, rate): [] for workers in WORKERS for rate in (given.rate, 0)}
    for _ in range(given.rounds):
        for workers in WORKERS:
            stage = rounds.Stage(static, ["waypost"], workers=workers, cores=CORES)
            try:
                for rate in (given.rate, 0):
                    taken[workers, rate].append(stage.sample("waypost", given.seconds, rate))
            finally:
                stage.end()
    return taken


def measure(given):
    """The table."""
    text = "| workers | load | CPU, µs an answer | answers/s | lost |\n|---:|---|---|---:|---:|\n"
    for (workers, rate), taken in samples(given).items():
        load = f"{rate:,}/s" if rate else "as many as are answered"
        rates, lost = median(s.rate for s in taken), median(s.lost for s in taken)
        cpu = spread([s.cpu for s in taken])
        text += f"| {workers} | {load} | {cpu} | {rates:,.0f} | {100 * lost:.2f} % |\n"
    return text + f"\n{machine.provenance()}\n"
