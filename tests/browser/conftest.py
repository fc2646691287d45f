"""A real browser before a real server, both on this machine only."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright
from werkzeug.serving import make_server

from monitor.core.clock import ManualClock
from monitor.signed_links import SignedLinks
from monitor.store.secrets import new_key
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
AXE = {
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa"],
    }
}
LINKS = SignedLinks([new_key()], "", ManualClock(NOW))
LEAST_PASSES = 12  # of axe's rules; a page that failed to come up has fewer
Visit = Callable[..., tuple[Page, list[str]]]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    if not CHROMIUM.exists():
        pytest.fail(f"{CHROMIUM} is not there: apt-get install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Open an address; return the page with a list that fills with what went wrong."""
    contexts = []

    def opened(
        address: str, *, width: int = 1440, status: int = 200, **settings: Any
    ) -> tuple[Page, list[str]]:
        context = browser.new_context(viewport={"width": width, "height": 900}, **settings)
        contexts.append(context)
        page = context.new_page()
        wrong: list[str] = []
        page.on("console", lambda said: wrong.append(said.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("requestfailed", lambda request: wrong.append(request.url))
        answer = page.goto(address)
        assert answer is not None
        assert answer.status == status
        return page, wrong

    yield opened
    for context in contexts:
        context.close()


def accessibility_faults(page: Page) -> list[str]:
    """What axe finds; that is only a part of what can be wrong, but of that part everything."""
    found = Axe().run(page, options=AXE)
    assert len(found.response["passes"]) >= LEAST_PASSES
    return [found.generate_report()] if found.response["violations"] else []


def unfold(page: Page, most: int = 4) -> None:
    """Open the first details of *page*."""
    for details in page.locator("details").all()[:most]:
        details.locator("summary").first.click()


def is_wider_than(page: Page, width: int) -> bool:
    """Must a person scroll sideways?"""
    return bool(page.evaluate("document.documentElement.scrollWidth") > width)


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
            links=LINKS,
            status_url="https://mail.example.org",
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
