"""What the pages say of mailboxes that cannot be read, and of those that can be again."""

from collections.abc import Iterator

import pytest
from sqlmodel import Session

from monitor.core.errors import MailboxLockedError
from monitor.store import pages_seeds, seed_health
from monitor.store.seed_health import Attempt
from tests.web.conftest import Site, build
from tests.web.worlds import HOUR, NOW, World, well

REFUSED = MailboxLockedError("sign-in refused.", remedy="Make a new <app> password.")


def troubled(world: World) -> None:
    world.begin(providers=("gmail",))
    world.rounds(well, hours=4)
    (failing, *_), (recovered, *_) = world.seeds[0], world.seeds[1]
    with Session(world.engine) as session:
        for seed, hours, error in (
            (failing, 3, REFUSED),
            (failing, 1, REFUSED),
            (recovered, 3, REFUSED),
            (recovered, 1, None),
        ):
            seed_health.record(session, Attempt(seed, NOW - hours * HOUR, 0.1, error))
        session.commit()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(build(troubled, tmp_path_factory.mktemp("health")))
    yield site
    site.world.engine.dispose()


def test_the_overview_says_since_when_why_and_what_to_do(site: Site) -> None:
    told = site.visit("/").section("Test mailboxes").text
    assert "3 of 4 mailboxes could be read at the latest look" in told
    assert "2 looks in a row told nothing, since" in told
    assert "sign-in refused. Make a new <app> password." in told


def test_the_overview_says_what_has_recovered(site: Site) -> None:
    assert "can be read again since" in site.visit("/").section("Test mailboxes").text


def test_the_page_of_a_test_says_which_of_its_mailboxes_fail(site: Site) -> None:
    page = site.visit(f"/tests/{site.world.tests[0]}")
    assert "seed0@gmail.lab.example" in page.section("1 of 4 mailboxes cannot be read now").text


def test_a_seed_that_is_no_longer_looked_at_fails_no_more(site: Site) -> None:
    with Session(site.world.engine) as session:
        lately = pages_seeds.seed_health(session, since=NOW - 9 * HOUR)
        now = pages_seeds.seed_health(session, since=NOW)
    assert [len([one for one in seen if one.is_failing]) for seen in (lately, now)] == [1, 0]
