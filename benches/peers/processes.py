"""Processes that were started here: pinned to a core, and ended, whatever happens."""

import os
import pathlib
import signal
import subprocess

from settings import SERVER_CORE

STARTED = []

TICK = os.sysconf("SC_CLK_TCK")


def start(command, core=SERVER_CORE, log=subprocess.DEVNULL):
    """Starts a server on one core (or a set of cores), in a group of its own."""
    cores = core if isinstance(core, str) else str(core)
    process = subprocess.Popen(
        ["taskset", "-c", cores, *command],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    STARTED.append(process)
    return process


def hold(pids, core=SERVER_CORE):
    """Puts every thread of processes where they were started to run.

    Knot DNS pins its workers to cores of its own choice. On the core of the load generator a server
    finds more packets queued each time and wakes nobody: it looks cheaper than the floor.
    """
    cores = {int(core) for core in str(core).split(",")}
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(task.name), cores)


def end(process, patience=5):
    """Ends a process and what it forked, which is all that is in its group."""
    STARTED.remove(process)
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(patience)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def end_all():
    for process in list(STARTED):
        end(process)


def family(pid):
    """A process and all that descend from it."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            fields = stat(entry)
            if fields:
                parents.setdefault(int(fields[1]), []).append(int(entry))
    found, wave = [], [pid]
    while wave:
        found += wave
        wave = [child for one in wave for child in parents.get(one, [])]
    return found


def stat(pid):
    """The fields of /proc/PID/stat behind the name, from the state on; `None` if it is gone."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


def cpu_seconds(pids):
    """(user, system, both) time of processes with all of their threads, in seconds.

    /proc/PID/stat counts in ticks of 10 ms, the scheduler's own file in nanoseconds, but only the
    sum; of a thread that has ended it knows nothing more, and servers end none under load.
    """
    user = system = both = 0
    for pid in pids:
        fields = stat(pid)
        if fields:
            user += int(fields[11]) / TICK
            system += int(fields[12]) / TICK
            both += sum(map(scheduled, pathlib.Path(f"/proc/{pid}/task").iterdir()))
    return user, system, both


def scheduled(task):
    """How long a thread has run, in seconds."""
    try:
        return int((task / "schedstat").read_text().split()[0]) / 1e9
    except OSError:
        return 0

