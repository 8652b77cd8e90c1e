"""One worker and two, on both cores, which they share with the load generator.

With two cores there is no room to show twice the answers: the generator needs one of them. What can
be seen is that a second worker costs nothing: CPU time an answer stays what it was.
"""

from statistics import median

import rounds
from table import spread
from workloads import WORKLOADS

CORES = "0,1"


def stages():
    static = next(workload for workload in WORKLOADS if workload.key == "static")
    return static, (1, 2)


def measure_all(given, static, counts):
    """(workers, rate) → samples."""
    samples = {}
    for workers in counts:
        for rate in (given.rate, 0):
            samples[workers, rate] = []
    for _ in range(given.rounds):
        for workers in counts:
            stage = rounds.Stage(static, ["waypost"], workers=workers, cores=CORES)
            try:
                for rate in (given.rate, 0):
                    samples[workers, rate].append(stage.sample("waypost", given.seconds, rate))
            finally:
                stage.end()
    return samples


def measure(given):
    """The table."""
    static, counts = stages()
    samples = measure_all(given, static, counts)
    text = (
        "| workers | load | CPU, µs an answer | answers/s | lost |\n|---:|---|---|---:|---:|\n"
    )
    for (workers, rate), taken in samples.items():
        load = f"{rate:,}/s" if rate else "as many as are answered"
        rates, lost = median(s.rate for s in taken), median(s.lost for s in taken)
        cpu = spread([s.cpu for s in taken])
        text += f"| {workers} | {load} | {cpu} | {rates:,.0f} | {100 * lost:.2f} % |\n"
    return text
