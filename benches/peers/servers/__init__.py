"""One file a server: how to write its configuration, start it, and ask its version.

Each has `version()`; `write(workload, directory, port, workers)`, which returns the command to run,
or `None` if the server has nothing like it; and `note(workload)`, which says what in the server's
answer is less than what the workload asks for, or why it has none.
"""

from . import echo, gdnsd, knot, nsd, pdns, waypost

ALL = {"echo": echo, "waypost": waypost, "gdnsd": gdnsd, "knot": knot, "nsd": nsd, "pdns": pdns}

