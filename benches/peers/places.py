"""Where clients are: a database of about a million IPv4 networks in MaxMind's format.

The tree is grown by halving the address space at random, always to /16, at most to /24; the country
of each network is drawn by itself, so that few neighbours are alike. Every run makes the same one.
"""

import functools
import ipaddress
import pathlib
import random
import struct
from array import array

PATH = pathlib.Path("target/peers/places.mmdb")

# Country → continent.
COUNTRIES = {
    "DE": "EU", "FR": "EU", "GB": "EU", "US": "NA", "CA": "NA",
    "BR": "SA", "JP": "AS", "IN": "AS", "AU": "OC", "ZA": "AF",
}

# The networks of the load generator and of another client on loopback: (network, country).
LOOPBACK = ((0x7F00_0000, "DE"), (0x7F80_0000, "US"))

SEED = 20_261_123
# The probability that a network between /16 and /24 is split in two; it makes the million.
HALVED = 0.64
# The types of fields in the format.
TEXT, UINT16, UINT32, MAP, UINT64, LIST = 2, 5, 6, 7, 9, 11


class Tree:
    """Nodes of two records each: a node's number, or the complement of a country's index."""

    def __init__(self):
        self.random = random.Random(SEED)
        self.records = array("l")
        self.networks = 0
        self.grow(0, 0)

    def grow(self, network, bits):
        """The record for a network of that many bits, with all that is below it."""
        drawn = self.random.random()
        fixed = [country for at, country in LOOPBACK if bits == 9 and network == at]
        if fixed or bits == 24 or (bits >= 16 and drawn > HALVED):
            self.networks += 1
            country = fixed[0] if fixed else self.random.choice(list(COUNTRIES))
            return ~list(COUNTRIES).index(country)
        node = len(self.records) // 2
        self.records.extend((0, 0))
        self.records[2 * node] = self.grow(network, bits + 1)
        self.records[2 * node + 1] = self.grow(network | 1 << (31 - bits), bits + 1)
        return node

    def continent(self, address):
        """Where an IPv4 address, as text, is."""
        bits, at = int(ipaddress.IPv4Address(address)), 0
        for place in range(31, -1, -1):
            at = self.records[2 * at + (bits >> place & 1)]
            if at < 0:
                return list(COUNTRIES.values())[~at]
        raise LookupError(address)


@functools.cache
def tree():
    return Tree()


@functools.cache
def database():
    """Writes the database; returns its path."""
    nodes = len(tree().records) // 2
    data, starts = b"", []
    for country, continent in COUNTRIES.items():
        starts.append(nodes + 16 + len(data))
        data += encoded({"continent": {"code": continent}, "country": {"iso_code": country}})
    # Records of 24 bits, and 16 octets of nothing before the data.
    record = lambda at: (starts[~at] if at < 0 else at).to_bytes(3, "big")
    metadata = {
        "node_count": nodes, "record_size": (UINT16, 24), "ip_version": (UINT16, 4),
        "database_type": "GeoIP2-Country", "languages": ["en"], "description": {},
        "binary_format_major_version": (UINT16, 2), "binary_format_minor_version": (UINT16, 0),
        "build_epoch": (UINT64, 1_700_000_000),
    }
    PATH.write_bytes(
        b"".join(map(record, tree().records)) + bytes(16) + data
        + b"\xab\xcd\xefMaxMind.com" + encoded(metadata)
    )
    return PATH.resolve()


def encoded(value):
    """A value in the format's data section. Whole numbers are 32 bits wide unless they say."""
    if isinstance(value, str):
        return control(TEXT, len(value)) + value.encode()
    if isinstance(value, dict):
        pairs = (encoded(key) + encoded(inner) for key, inner in value.items())
        return control(MAP, len(value)) + b"".join(pairs)
    if isinstance(value, list):
        return control(LIST, len(value)) + b"".join(map(encoded, value))
    kind, number = value if isinstance(value, tuple) else (UINT32, value)
    octets = struct.pack("!Q", number).lstrip(b"\0")
    return control(kind, len(octets)) + octets


def control(kind, size):
    """What stands before a value; no size here is above 28. Types above 7 have an octet more."""
    return bytes([kind << 5 | size]) if kind <= MAP else bytes([size, kind - 7])
