"""Who probes 2,000 targets of one nginx, and what a probe costs: a table in Markdown."""

import datetime
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "peers"))

import processes  # noqa: E402
from machine import commit, cpu_model  # noqa: E402
from settings import LOAD_CORE, SERVER_CORE  # noqa: E402

TARGETS = 2000
# Seconds: the shortest interval of gdnsd.
INTERVAL = 2
WARM_UP, MEASURED, ROUNDS = 6, 8, 3
PORTS = {"http": 8080, "tcp": 8080, "https": 8443}
WAYPOST = "target/release/waypost"


def addresses():
    return [f"127.1.{at // 250}.{at % 250 + 1}" for at in range(TARGETS)]


def nginx(directory):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-noenc", "-days", "2", "-subj", "/CN=target", "-keyout", directory / "key.pem",
         "-out", directory / "cert.pem"],
        check=True, capture_output=True,
    )
    (directory / "nginx.conf").write_text(f"""
user root; worker_processes 1; daemon off; pid {directory}/pid; error_log stderr crit;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_timeout 0;
  client_body_temp_path {directory}/1; proxy_temp_path {directory}/2;
  fastcgi_temp_path {directory}/3; uwsgi_temp_path {directory}/4; scgi_temp_path {directory}/5;
  server {{ listen 0.0.0.0:8080 backlog=4096; location / {{ return 200 "ok"; }} }}
  server {{ listen 0.0.0.0:8443 ssl backlog=4096; location / {{ return 200 "ok"; }}
    ssl_certificate {directory}/cert.pem; ssl_certificate_key {directory}/key.pem; }}
}}
""")
    return ["nginx", "-e", "stderr", "-c", str(directory / "nginx.conf")]


def waypost(kind, directory):
    (directory / "zones").mkdir()
    more = {"http": 'path = "/"', "tcp": "", "https": 'path = "/"\nverify = false'}[kind]
    endpoints = ",\n".join(f'"{address}"' for address in addresses())
    (directory / "zones" / "bench.test.toml").write_text(
        'zone = "bench.test"\nnameservers = ["ns.example.net."]\n'
        f'[checks.up]\nkind = "{kind}"\nport = {PORTS[kind]}\ninterval = "{INTERVAL}s"\n{more}\n'
        f'[services.web]\ncheck = "up"\nendpoints = [{endpoints}]\n'
    )
    (directory / "waypost.toml").write_text(
        f'zones = "{directory}/zones"\n[listen]\naddresses = "127.0.0.1:5300"\nworkers = 1\n'
        '[log]\nlevel = "warn"\n'
    )
    return [WAYPOST, "serve", "--config", str(directory / "waypost.toml")]


def haproxy(kind, directory):
    how = {"http": "", "tcp": "", "https": "check-ssl verify none"}[kind]
    lines = "\n".join(
        f"  server s{at} {address}:{PORTS[kind]} check inter {INTERVAL}s {how}"
        for at, address in enumerate(addresses())
    )
    (directory / "haproxy.cfg").write_text(
        "global\n  nbthread 1\n  maxconn 8000\ndefaults\n  mode http\n  timeout connect 1s\n"
        "  timeout client 1s\n  timeout server 1s\n  timeout check 1s\n"
        "frontend in\n  bind 127.0.0.1:9000\n  default_backend targets\nbackend targets\n"
        + ("" if kind == "tcp" else "  option httpchk GET /\n  http-check expect status 200-399\n")
        + lines + "\n"
    )
    return ["haproxy", "-db", "-f", str(directory / "haproxy.cfg")]


def gdnsd(kind, directory):
    if kind == "https":
        return None
    (directory / "zones").mkdir()
    (directory / "run").mkdir()
    plugin = {"http": "http_status", "tcp": "tcp_connect"}[kind]
    path = "url_path => /," if kind == "http" else ""
    resources = "\n".join(
        f"r{at} => {{ "
        + " ".join(f"a{number} = {address}" for number, address in enumerate(part))
        + " }"
        for at, part in enumerate(addresses()[at : at + 50] for at in range(0, TARGETS, 50))
    )
    (directory / "config").write_text(
        f"options => {{ listen => [ 127.0.0.1:5300 ], udp_threads = 1, tcp_threads = 1,\n"
        f"  run_dir = {directory}/run, state_dir = {directory}/run }}\n"
        f"service_types => {{ web => {{ plugin => {plugin}, {path} port => {PORTS[kind]},\n"
        f"  interval => {INTERVAL} timeout => 1 }} }}\n"
        f"plugins => {{ multifo => {{ service_types = web\n{resources}\n}} }}\n"
    )
    return ["gdnsd", "-c", str(directory), "start"]


PROBERS = {"waypost": waypost, "haproxy": haproxy, "gdnsd": gdnsd}


def connections():
    """How many were begun in this network namespace, where nobody else begins any.

    Not what nginx counts: HAProxy resets a tcp check before nginx gets to see it.
    """
    with open("/proc/net/snmp") as file:
        names, values = (line.split() for line in file if line.startswith("Tcp:"))
    return int(values[names.index("ActiveOpens")])


def measure(name, kind):
    """Microseconds a probe, and probes a second; `None` if it has no such check."""
    with tempfile.TemporaryDirectory() as directory:
        command = PROBERS[name](kind, pathlib.Path(directory))
        if command is None:
            return None
        with open(pathlib.Path(directory) / "log", "w") as log:
            process = processes.start(command, SERVER_CORE, log)
            time.sleep(WARM_UP)
        if process.poll() is not None:
            sys.exit(f"{name} does not start: {(pathlib.Path(directory) / 'log').read_text()}")
        family = processes.family(process.pid)
        processes.hold(family, SERVER_CORE)
        before, used, began = connections(), processes.cpu_seconds(family)[2], time.monotonic()
        time.sleep(MEASURED)
        probes, took = connections() - before, time.monotonic() - began
        used = processes.cpu_seconds(family)[2] - used
        processes.end(process)
        if probes < TARGETS * MEASURED / INTERVAL / 2:
            sys.exit(f"{name} made only {probes} probes by {kind}")
        return used / probes * 1e6, probes / took


def spread(values):
    return f"**{statistics.median(values):.1f}** ({min(values):.1f}–{max(values):.1f})"


def rows(kind):
    found = {name: [] for name in PROBERS}
    for _ in range(ROUNDS):
        for name in PROBERS:
            found[name].append(measure(name, kind))
    floor = [cost for cost, _ in found["haproxy"]]
    for name, rounds in found.items():
        if rounds[0] is None:
            continue
        costs = [cost for cost, _ in rounds]
        ratios = [cost / one for cost, one in zip(costs, floor)]
        rate = statistics.median(rate for _, rate in rounds)
        times = f"**{statistics.median(ratios):.2f}** ({min(ratios):.2f}–{max(ratios):.2f})"
        yield f"| {kind} | {name} | {spread(costs)} | {times} | {rate:.0f} |"


def version(command, pattern):
    run = subprocess.run(command, capture_output=True, text=True)
    found = re.search(pattern, run.stdout + run.stderr)
    return found[1] if found else "?"


def main():
    with tempfile.TemporaryDirectory() as directory:
        try:
            processes.start(nginx(pathlib.Path(directory)), LOAD_CORE)
            time.sleep(1)
            table = [row for kind in PORTS for row in rows(kind)]
        finally:
            processes.end_all()
    print("| check | prober | CPU, µs a probe | × HAProxy | probes/s |\n|---|---|---|---|---:|")
    print("\n".join(table))
    peers = [
        "HAProxy " + version(["haproxy", "-v"], r"version (\S+)"),
        "gdnsd " + version(["gdnsd"], r"version (\S+)"),
        "nginx " + version(["nginx", "-v"], r"nginx/(\S+)"),
    ]
    today = datetime.datetime.now(datetime.timezone.utc).date()
    print(
        f"\n`benches/checks/run --publish`, {today}, commit {commit()}; {cpu_model()}, "
        f"{os.cpu_count()} cores; {', '.join(peers)}."
    )


if __name__ == "__main__":
    main()
