"""A real browser before a real server, both on this machine only."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from werkzeug.serving import make_server

from monitor.core.clock import ManualClock
from monitor.web.app import create_app
from monitor.web.parts import Parts
from tests.web.conftest import build
from tests.web.worlds import FACTS, NOW, World

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    if not CHROMIUM.exists():
        pytest.fail(f"{CHROMIUM} is not there: apt-get install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def address_of(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Callable[[Callable[[World], None]], str]]:
    """Serve a world; return its address. The same world is served once."""
    serving: dict[Callable[[World], None], Served] = {}

    def address(make: Callable[[World], None]) -> str:
        if make not in serving:
            serving[make] = Served(make, tmp_path_factory.mktemp("served"))
        return serving[make].address

    yield address
    for served in serving.values():
        served.stop()


class Served:
    """A world's dashboard on a port of its own, in a thread of its own."""

    def __init__(self, make: Callable[[World], None], where: Path) -> None:
        self.world = build(make, where)
        parts = Parts(
            engine=self.world.engine,
            clock=ManualClock(NOW),
            facts=FACTS,
            banner="Demo: simulated providers on this machine.",
        )
        self.server = make_server("127.0.0.1", 0, create_app(parts), threaded=True)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        self.world.engine.dispose()
