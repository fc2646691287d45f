"""A fresh SQLite database, and real servers for the tests that need one."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import Engine, make_url

from monitor.store.engine import open_engine, upgrade

START_WITHIN_S = 60
UNPRIVILEGED = "nobody"  # PostgreSQL refuses to run as root


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = open_engine(f"sqlite:///{tmp_path / 'seedwatch.db'}")
    upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of an empty PostgreSQL server."""
    with _folder() as folder:
        data, port = folder / "data", _free_port()
        initdb = [_program("initdb"), "-D", str(data), "-U", "seedwatch"]
        subprocess.run(
            [*initdb, "--auth=trust", "--no-locale", "-E", "UTF8", "--no-sync"],
            check=True,
            capture_output=True,
            timeout=START_WITHIN_S,
            **_unprivileged(),
        )
        options = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": "",
            "fsync": "off",
        }
        command = [_program("postgres"), "-D", str(data)]
        command += [part for key, value in options.items() for part in ("-c", f"{key}={value}")]
        with _running(command, ready="ready to accept connections"):
            yield f"postgresql+psycopg://seedwatch@127.0.0.1:{port}/postgres"


@pytest.fixture
def postgresql_engine(postgresql: str, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A database of its own on the PostgreSQL server, in its newest version."""
    name = f"test_{abs(hash(request.node.nodeid))}"
    server = open_engine(postgresql)
    with server.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    server.dispose()
    url = make_url(postgresql).set(database=name)
    engine = open_engine(url.render_as_string(hide_password=False))
    upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def redis() -> Iterator[str]:
    """The URL of an empty Redis server."""
    with _folder() as folder:
        port = _free_port()
        command = [_program("redis-server"), "--port", str(port), "--bind", "127.0.0.1"]
        command += ["--save", "", "--appendonly", "no", "--dir", str(folder)]
        with _running(command, ready="Ready to accept connections"):
            yield f"redis://127.0.0.1:{port}/0"


def _program(name: str) -> str:
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which(name, path=os.pathsep.join([*map(str, places), os.environ["PATH"]]))
    if found is None:
        pytest.fail(f"{name} is not installed: this test needs the real server")
    return found


def _unprivileged() -> dict[str, str]:
    return {"user": UNPRIVILEGED} if os.geteuid() == 0 else {}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """A directory that the unprivileged user may use, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="seedwatch-") as name:
        if os.geteuid() == 0:
            shutil.chown(name, UNPRIVILEGED)
        yield Path(name)


@contextlib.contextmanager
def _running(command: Sequence[str], *, ready: str) -> Iterator[None]:
    """Run a server from the moment it says *ready* until the end of the block."""
    server = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **_unprivileged()
    )
    is_ready = threading.Event()
    said: list[str] = []

    def listen() -> None:
        assert server.stdout is not None
        for line in server.stdout:
            said.append(line)
            if ready in line:
                is_ready.set()
        is_ready.set()  # it ended

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        is_ready.wait(START_WITHIN_S)
        if server.poll() is not None or not any(ready in line for line in said):
            pytest.fail(f"{command[0]} did not start: {''.join(said[-20:])}")
        yield
    finally:
        server.terminate()
        server.wait(START_WITHIN_S)
        listener.join()
        if server.stdout is not None:
            server.stdout.close()
