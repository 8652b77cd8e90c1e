"""The floor: queries sent back as they came (benches/peers/echo.c)."""

PROGRAM = "target/peers/echo"


def version():
    return "echo of this tree"


def note(_workload):
    return "the query, sent back"


def write(_workload, _directory, port, _workers):
    return command(port)


def command(port):
    return [PROGRAM, "127.0.0.1", str(port)]
