"""Debian's server programs, run by tests: found, started in the foreground, ended by handle."""

import os
import shutil
import signal
import socket
import subprocess
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
def running(command: Sequence[str], *, port: int, log: Path) -> Iterator[None]:
    """Run a server that stays in the foreground, once it listens on *port*.

    It leads a group of its own, so that what it started ends with it, whatever happens.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        _await(process, port, log)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_WITHIN_S)
        with suppress(ProcessLookupError):  # nobody is left
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(STOP_WITHIN_S)


def _await(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.02)
    raise AssertionError(f"{process.args} does not listen on {port}:\n{log.read_text()[-3000:]}")
