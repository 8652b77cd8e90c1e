"""A DNS client of a few lines: whether a server answers, and what."""

import socket
import struct
import time

from workloads import ORIGIN


def query(label):
    """A query for the address of a label, with EDNS of 1,232 octets, as resolvers send it."""
    labels = f"{label}.{ORIGIN}".split(".")
    name = b"".join(bytes([len(part)]) + part.encode() for part in labels) + b"\0"
    opt = b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0)
    return struct.pack("!6H", 0x1234, 0, 1, 0, 0, 1) + name + struct.pack("!HH", 1, 1) + opt


def ask(port, label, timeout=0.2):
    """(response code, answers, octets), or `None` if nothing came."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(timeout)
        client.connect(("127.0.0.1", port))
        try:
            client.send(query(label))
            response = client.recv(4096)
        except OSError:
            return None
    return response[3] & 0xF, struct.unpack("!H", response[6:8])[0], len(response)


def wait_for(port, label, expected, limit, alive):
    """The octets of the first answer as expected; `None` if none comes within the limit."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline and alive():
        answer = ask(port, label)
        if answer and (expected is None or answer[:2] == expected):
            return answer[2]
        time.sleep(0.05)
    return None
