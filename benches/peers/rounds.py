"""One workload: starts every server, measures them in turn over the rounds, ends them."""

import pathlib
import sys
import tempfile

import client
import endpoints
import measure
import places
import processes
import servers
from settings import FIRST_PORT, START_LIMIT
from workloads import ENDPOINTS, write_queries

# Networks in several countries, which show whether servers tell them apart.
SUBNETS = [f"{first}.{first % 7}.{first % 5}.0" for first in range(1, 120, 7)]


class Stage:
    """The servers of one workload, running, idle until they are asked."""

    def __init__(self, workload, names, workers=1, cores=None):
        self.workload, self.workers = workload, workers
        self.cores = {"core": cores} if cores else {}
        # Removed with the stage, or when Python ends.
        self.temporary = tempfile.TemporaryDirectory(prefix="peers-", ignore_cleanup_errors=True)
        self.directory = pathlib.Path(self.temporary.name)
        self.running, self.absent, self.notes = {}, {}, {}
        self.queries = self.directory / "queries"
        self.octets = None
        write_queries(workload, self.queries)
        self.label = workload.asked()[0]
        # Real servers come first: one of their answers gives the length of the padded echo's.
        for name in sorted(names, key=lambda name: name == "echo"):
            self.start(name)
        floors = [name for name in ("echo", "padded echo") if name in self.running]
        self.order = floors + [name for name in self.running if name not in floors]

    def start(self, name):
        server = servers.ALL[name]
        directory = self.directory / name
        directory.mkdir()
        command = server.write(self.workload, directory, self.port(), self.workers)
        if command is None:
            self.absent[name] = server.note(self.workload)
            return
        self.launch(name, command, directory / "log")
        self.notes[name] = server.note(self.workload)
        if name == "echo" and self.octets:
            self.launch("padded echo", [*server.command(self.port()), str(self.octets)], None)
            self.notes["padded echo"] = f"{self.octets} octets, as Waypost's answer"

    def port(self):
        return FIRST_PORT + len(self.running)

    def launch(self, name, command, log):
        port = self.port()
        with open(log or "/dev/null", "w") as output:
            process = processes.start(command, log=output, **self.cores)
        expected = None if "echo" in name else self.workload.expected
        alive = lambda: process.poll() is None
        subnet = SUBNETS[0] if self.workload.subnets else None
        octets = client.wait_for(port, self.label, expected, START_LIMIT, alive, subnet)
        why = None
        if octets is None:
            ended = process.poll() is not None
            why = "does not start" if ended else f"no such answer within {START_LIMIT} s"
        elif expected and self.workload.located():
            why = self.misled(port)
        if why:
            processes.end(process)
            self.absent[name] = why
            said = pathlib.Path(log).read_text()[-2000:] if log else ""
            print(f"{name}: not measured: {said}", file=sys.stderr)
            return
        if name == "waypost":
            self.octets = octets
        self.running[name] = (process, port)

    def misled(self, port):
        """Which client a server sends to another pool than its own; `None` if it does not."""
        service = self.workload.services()[0]
        loopback = ("127.0.0.1", "127.128.0.1")
        asking = [(loopback[0], net) for net in SUBNETS]
        if not self.workload.subnets:
            asking = [(source, None) for source in loopback]
        for source, subnet in asking:
            pool = service.pool_of(places.tree().continent(subnet or source))
            address = client.address(port, self.label, source, subnet)
            if address not in dict(pool.endpoints):
                return f"sends {subnet or source} to {address}, not to {pool.name}"
        return None

    def load(self, port, seconds, rate):
        """The load as `measure.sample` takes it."""
        packets = "subnets" if self.workload.subnets else str(self.workload.malformed or "")
        if packets:
            name = f"{self.label}.{client.ORIGIN}"
            return lambda warm_up: measure.mixed(port, name, warm_up or seconds, rate, packets)
        return lambda warm_up: measure.dnsperf(port, self.queries, warm_up or seconds, rate)

    def sample(self, name, seconds, rate):
        process, port = self.running[name]
        processes.hold(processes.family(process.pid), **self.cores)
        return measure.sample(self.load(port, seconds, rate), process)

    def end(self):
        for process, _ in self.running.values():
            processes.end(process)
        self.temporary.cleanup()


def run(workload, names, rounds, seconds, rates):
    """Returns (rate → server → samples, notes, absent servers)."""
    checked = None
    if workload.services():
        checked = endpoints.start(ENDPOINTS)
    try:
        stage = Stage(workload, names)
        results = {rate: {name: [] for name in stage.order} for rate in rates}
        try:
            for turn in range(rounds):
                for rate in rates:
                    for name in stage.order:
                        results[rate][name].append(stage.sample(name, seconds, rate))
                print(f"{workload.key}: round {turn + 1} of {rounds}", file=sys.stderr)
        finally:
            stage.end()
        return results, stage.notes, stage.absent
    finally:
        if checked:
            endpoints.end(checked)
