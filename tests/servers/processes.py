"""Debian's server programs, run by tests: found, started in the foreground, ended by handle."""

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

START_WITHIN_S = 40.0
STOP_WITHIN_S = 15.0
WHERE = "/usr/sbin:/usr/bin:/usr/lib/postfix/sbin:/usr/local/sbin:/usr/local/bin"


def program(name: str, package: str) -> str:
    """Return the path of a server program; a missing one is a failure, never a skip."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{WHERE}")
    assert found, f"{name} is missing: install Debian's package {package}"
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def running(
    command: Sequence[str], *, port: int, log: Path, greeting: bytes = b""
) -> Iterator[None]:
    """Run a server that stays in the foreground, once it greets on *port*.

    It leads a group of its own, so that what it started ends with it, whatever happens: at
    the end nobody of the group lives and nobody listens, so that the next one can start.

    Args:
        greeting: how its first words begin; empty where the client speaks first, and then
            it is enough that the server listens.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        _await(process, port, log, greeting)
        yield
    finally:
        _end(process, port)


def _await(process: subprocess.Popen[bytes], port: int, log: Path, greeting: bytes) -> None:
    deadline = time.monotonic() + START_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        if _greets(port, greeting):
            return
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.02)
    words = f"greet on {port} with {greeting!r}" if greeting else f"listen on {port}"
    raise AssertionError(f"{process.args} does not {words}:\n{log.read_text()[-3000:]}")


def _greets(port: int, greeting: bytes) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=10) as server:
        return server.makefile("rb").readline(1000).startswith(greeting) if greeting else True
    return False


def _end(process: subprocess.Popen[bytes], port: int) -> None:
    process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_WITHIN_S)
    with suppress(ProcessLookupError):  # nobody is left
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(STOP_WITHIN_S)
    # A part that is being killed holds its sockets a while longer than its master's handle.
    deadline = time.monotonic() + STOP_WITHIN_S
    while _is_alive(process.pid) or _greets(port, b""):
        assert time.monotonic() < deadline, f"{process.args} has ended, but not on port {port}"
        threading.Event().wait(0.01)


def _is_alive(group: int) -> bool:
    """Say whether a process of *group* may hold a socket; one that is only unreaped does not."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            state, _, its_group = stat.read_text("utf-8", "replace").rpartition(")")[2].split()[:3]
            if int(its_group) == group and state not in "ZX":
                return True
    return False
