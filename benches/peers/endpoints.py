"""The endpoints of services: listeners that take a connection and close it, so that checks pass."""

import os
import selectors
import signal
import socket

from settings import CHECKED_PORT, LOAD_CORE


def start(addresses):
    """Starts a process that listens on all addresses; returns its id."""
    listeners = [socket.create_server((ip, CHECKED_PORT), backlog=64) for ip in addresses]
    pid = os.fork()
    if pid == 0:
        # A signal of the terminal must not end it before the servers that watch it.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.sched_setaffinity(0, {LOAD_CORE})
        try:
            serve(listeners, os.getppid())
        finally:
            os._exit(0)
    for listener in listeners:
        listener.close()
    return pid


def serve(listeners, parent):
    """Takes connections for as long as `parent` lives."""
    waiting = selectors.DefaultSelector()
    for listener in listeners:
        listener.setblocking(False)
        waiting.register(listener, selectors.EVENT_READ)
    while os.getppid() == parent:
        for key, _ in waiting.select(timeout=1):
            try:
                key.fileobj.accept()[0].close()
            except OSError:
                pass


def end(pid):
    os.kill(pid, signal.SIGTERM)
    os.waitpid(pid, 0)
