"""A DNS client of a few lines: whether a server answers, and what."""

import socket
import struct
import time

from workloads import ORIGIN


def query(label, subnet=None):
    """A query for the address of a label, with EDNS of 1,232 octets, as resolvers send it; for a
    client in the /24 of the address `subnet`, if there is one."""
    labels = f"{label}.{ORIGIN}".split(".")
    name = b"".join(bytes([len(part)]) + part.encode() for part in labels) + b"\0"
    option = b""
    if subnet:
        option = struct.pack("!HHHBB", 8, 7, 1, 24, 0) + socket.inet_aton(subnet)[:3]
    opt = b"\0" + struct.pack("!HHIH", 41, 1232, 0, len(option)) + option
    return struct.pack("!6H", 0x1234, 0, 1, 0, 0, 1) + name + struct.pack("!HH", 1, 1) + opt


def exchange(port, sent, source="127.0.0.1", timeout=0.2):
    """The response, or `None` if none came."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(timeout)
        client.bind((source, 0))
        client.connect(("127.0.0.1", port))
        try:
            client.send(sent)
            return client.recv(4096)
        except OSError:
            return None


def ask(port, label, subnet=None):
    """(response code, answers, octets), or `None` if nothing came."""
    response = exchange(port, query(label, subnet))
    return response and (response[3] & 0xF, struct.unpack("!H", response[6:8])[0], len(response))


def address(port, label, source, subnet=None):
    """The address in a response with one answer; `None` if there is no such response."""
    sent = query(label, subnet)
    response = exchange(port, sent, source)
    # The answer follows the question. Its owner is compressed, or as long as in the question.
    question = len(query(label)) - 11
    for owner in (2, question - 16):
        fixed = question + owner
        if response and response[fixed : fixed + 4] == b"\0\1\0\1":
            return socket.inet_ntoa(response[fixed + 10 : fixed + 14])
    return None


def wait_for(port, label, expected, limit, alive, subnet=None):
    """The octets of the first answer as expected; `None` if none comes within the limit."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline and alive():
        answer = ask(port, label, subnet)
        if answer and (expected is None or answer[:2] == expected):
            return answer[2]
        time.sleep(0.05)
    return None
