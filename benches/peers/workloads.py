"""What is asked, and what must be in the zone for it: said once, in words that fit every server.

A workload has plain records (`hosts`) and steered names (`services`). Each file in `servers` writes
them in the language of its server.
"""

import random
from dataclasses import dataclass

ORIGIN = "bench.example"
TTL = 60
NOERROR, NXDOMAIN = 0, 3

# Endpoints of services: addresses of this machine, so that checks of them pass.
ENDPOINTS = [f"127.0.1.{n}" for n in range(1, 65)]

# The order of random names; fixed, so that every run and every server sees the same queries.
SEED = 20_261_123


@dataclass(frozen=True)
class Pool:
    """Endpoints for the clients of some continents."""

    name: str
    continents: tuple
    endpoints: tuple  # of (address, weight)


@dataclass(frozen=True)
class Service:
    """A steered name. `every`: an answer has all endpoints; else one, drawn by weight."""

    label: str
    endpoints: tuple  # of (address, weight)
    every: bool = False
    # With pools, clients go to that of their continent (places.py), or to the next if it is down.
    # Clients of other continents go to the first, whose endpoints are those of the service.
    pools: tuple = ()

    def pool_of(self, continent):
        """Where clients of a continent go."""
        return next((pool for pool in self.pools if continent in pool.continents), self.pools[0])

    def order_of(self, pool):
        """The names of all pools, in the order in which clients of one try them."""
        return [pool.name, *(other.name for other in self.pools if other != pool)]


@dataclass(frozen=True)
class Workload:
    """Some queries, and the zone that answers them. `expected`: response code, answers in it."""

    key: str
    title: str
    asked: object  # a function: the list of labels
    hosts: object = dict  # a function: label → addresses
    services: object = tuple  # a function: services
    expected: tuple = (NOERROR, 1)
    # The share of all packets that are no well-formed queries.
    malformed: float = 0.0
    # Whether each query names another client network: EDNS Client Subnet, /24, at random.
    subnets: bool = False

    def located(self):
        """Whether its services ask where clients are."""
        return any(service.pools for service in self.services())


def shuffled(labels):
    labels = list(labels)
    random.Random(SEED).shuffle(labels)
    return labels


def one_host():
    return {"www": ["192.0.2.80"]}


def million_hosts():
    return {f"h{n}": [f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"] for n in range(1_000_000)}


def three(label, first=0):
    picked = (ENDPOINTS[(first + i) % len(ENDPOINTS)] for i in range(3))
    return Service(label, tuple(zip(picked, (3, 2, 1))))


def located(label):
    weighted = [three(label, first).endpoints for first in (0, 3, 6)]
    pools = (
        Pool("east", ("AS", "OC"), weighted[0]),
        Pool("europe", ("EU", "AF"), weighted[1]),
        Pool("america", ("NA", "SA"), weighted[2]),
    )
    return Service(label, weighted[0], pools=pools)


WORKLOADS = [
    Workload("static", "one static A record", lambda: ["www"], hosts=one_host),
    Workload(
        "weighted",
        "one of three addresses by weight and health",
        lambda: ["web"],
        services=lambda: [three("web")],
    ),
    Workload(
        "all8",
        "all of eight addresses that are up",
        lambda: ["web"],
        services=lambda: [Service("web", tuple((ip, 1) for ip in ENDPOINTS[:8]), every=True)],
        expected=(NOERROR, 8),
    ),
    Workload(
        "nxdomain",
        "names that do not exist, at random",
        lambda: shuffled(f"absent{n}" for n in range(100_000)),
        hosts=one_host,
        expected=(NXDOMAIN, 0),
    ),
    Workload(
        "million",
        "a million static names at random",
        lambda: shuffled(f"h{n}" for n in range(1_000_000)),
        hosts=million_hosts,
    ),
    Workload(
        "services",
        "100,000 services of three addresses at random, by weight and health",
        lambda: shuffled(f"s{n}" for n in range(100_000)),
        services=lambda: [three(f"s{n}", n) for n in range(100_000)],
    ),
    Workload(
        "malformed",
        "one static A record; three of ten packets are malformed",
        lambda: ["www"],
        hosts=one_host,
        malformed=0.3,
    ),
    Workload(
        "geo",
        "one of three addresses by weight and health, from one of three pools by continent",
        lambda: ["web"],
        services=lambda: [located("web")],
    ),
    Workload(
        "geo_ecs",
        "the same by the client's network, told by EDNS Client Subnet, in each query another",
        lambda: ["web"],
        services=lambda: [located("web")],
        subnets=True,
    ),
]


def master_lines(workload, services_too, steered=None):
    """The zone as a master file, in lines. `steered` writes the lines of a service; without it
    and with `services_too` a service becomes plain records: all if `every`, else its first."""
    yield f"$ORIGIN {ORIGIN}.\n$TTL {TTL}\n"
    yield "@ SOA ns1 hostmaster 1 14400 3600 1209600 60\n@ NS ns1\nns1 A 127.0.0.1\n"
    for label, addresses in workload.hosts().items():
        for address in addresses:
            yield f"{label} A {address}\n"
    for service in workload.services():
        if steered:
            yield steered(service)
        elif services_too:
            shown = service.endpoints if service.every else service.endpoints[:1]
            for address, _ in shown:
                yield f"{service.label} A {address}\n"


def write_queries(workload, path):
    """The data file of dnsperf."""
    with open(path, "w") as file:
        file.writelines(f"{label}.{ORIGIN} A\n" for label in workload.asked())
