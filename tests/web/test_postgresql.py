"""The same history reads the same, whichever database holds it."""

import pytest
from sqlalchemy import Engine

from tests.web.conftest import STARTS, Site, build, fill
from tests.web.worlds import World, silent, story
from tests.work.conftest import postgresql, postgresql_engine

__all__ = ["postgresql", "postgresql_engine"]  # fixtures

pytestmark = pytest.mark.real


def everything(world: World) -> None:
    story(world)
    world.rounds(silent, hours=2)


def test_pages_read_the_same_on_postgresql(
    postgresql_engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    embedded = Site(build(everything, tmp_path_factory.mktemp("embedded")))
    server = Site(fill(everything, postgresql_engine))
    for path in (*STARTS, "/tests/t0098", "/incidents/microsoft365/2026-03-01T18", "/healthz"):
        assert server.client.get(path).text == embedded.client.get(path).text, path
    assert "Microsoft 365 is quarantining" in server.visit("/").one("h1").text
    assert server.client.get("/tests/%00").status_code == 404
    embedded.world.engine.dispose()
