"""Pages over small histories. A history is written once and only read from then on."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from monitor.core.clock import ManualClock
from monitor.store.engine import open_engine, upgrade
from monitor.web.app import create_app
from monitor.web.parts import Parts
from tests.web.reader import Page, read
from tests.web.worlds import FACTS, NOW, World

Make = Callable[[World], None]
STARTS = ("/nothing/here", "/incidents", "/tests/t0001", "/tests", "/?window=14d", "/")


class Site:
    """The dashboard of one world."""

    def __init__(self, world: World, **more: str) -> None:
        self.world = world
        parts = Parts(engine=world.engine, clock=ManualClock(NOW), facts=FACTS, **more)
        self.walked: dict[str, Page] = {}
        self.client: FlaskClient = create_app(parts).test_client()

    def walk(self) -> dict[str, Page]:
        """All pages that can be reached from the first one, and an error page; once."""
        todo = [] if self.walked else list(STARTS)
        while todo:
            path = todo.pop()
            if path in self.walked:
                continue
            self.walked[path] = read(self.client.get(path).text)
            links = [a.attributes.get("href", "") for a in self.walked[path].all("a")]
            wanted = [link for link in links if link.startswith(("/incidents/", "/tests/"))]
            todo += wanted[:6] if len(self.walked) < 16 else []
        return self.walked

    def visit(self, path: str) -> Page:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return read(answer.text)


@pytest.fixture(scope="session")
def site_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Make], Site]]:
    """Return the site of a world; the same maker gives the same site."""
    known: dict[Make, Site] = {}

    def site(make: Make) -> Site:
        if make not in known:
            known[make] = Site(build(make, tmp_path_factory.mktemp("web")))
        return known[make]

    yield site
    for each in known.values():
        each.world.engine.dispose()


def build(make: Make, where: Path) -> World:
    """Write a history into a new database in directory *where*."""
    engine = open_engine(f"sqlite:///{where / 'seedwatch.db'}")
    upgrade(engine)
    return fill(make, engine)


def fill(make: Make, engine: Engine) -> World:
    """Write a history into an empty database."""
    world = World(engine)
    make(world)
    return world
