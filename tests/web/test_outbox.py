"""The outbox: who is told, and what could not be delivered."""

from datetime import timedelta

from sqlmodel import Session

from monitor.core.routes import Arrival
from monitor.store.columns import saved
from monitor.store.route_tables import AttemptRow, RouteRow
from monitor.store.verdict_tables import AlertRow
from tests.web.conftest import Make, Site
from tests.web.test_safety import Sites
from tests.web.worlds import HOUR, NOW, World

ONE = "microsoft365/2026-03-01T18"


def troubled(world: World) -> None:
    """One route of each kind of trouble, and one alert of each fate."""
    world.begin(providers=())
    with Session(world.engine) as session:
        hook = RouteRow(
            organisation_id=1,
            kind="webhook",
            address="https://hooks.example.org/SECRET-PATH",
            suspended_at=NOW - HOUR,
            suspended_why="410 Gone <b>",
        )
        resting = RouteRow(
            organisation_id=1,
            address="rests@example.org",
            confirmed_at=NOW,
            failures=5,
            rests_until=NOW + HOUR,
        )
        asked = RouteRow(organisation_id=1, address="asked@example.org")
        session.add_all([hook, resting, asked])
        session.flush()
        fates = (
            (hook, {"dead_at": NOW - HOUR, "attempts": 9, "error": "no such endpoint"}),
            (resting, {"attempts": 1, "error": "connection refused"}),
            (resting, {"sent_at": NOW - HOUR, "arrival": Arrival.UNCONFIRMED}),
        )
        for number, (route, fate) in enumerate(fates):
            alert = AlertRow(
                incident=ONE,
                topic=f"confirmed/{number}",
                route_id=saved(route.id),
                message_id=f"<{number}@example.org>",
                created_at=NOW - 2 * HOUR,
                due_at=NOW + timedelta(minutes=5),
                **fate,
            )
            session.add(alert)
            session.flush()
            session.add(
                AttemptRow(
                    alert_id=saved(alert.id),
                    started_at=NOW - HOUR,
                    outcome="refused",
                    said=f"they said {number}",
                )
            )
        session.commit()


def test_the_outbox_tells_of_each_route_and_of_what_is_stuck(site_of: Sites) -> None:
    page = site_of(troubled).visit("/outbox")
    stuck = page.section("Not delivered").text
    assert "Given up 60 min ago after 9 attempts: no such endpoint" in stuck.replace(
        "1 h", "60 min"
    )
    assert "connection refused" in stuck
    assert "they said 0" in stuck
    assert "they said 2" not in stuck
    routes = page.section("Routes").text
    assert "Suspended" in routes
    assert "410 Gone <b>" in routes
    assert "Not confirmed: nothing is sent" in routes
    assert "after 5 failures in a row" in routes
    assert "1 sent" in routes


def test_the_path_of_a_webhook_is_not_shown(site_of: Sites) -> None:
    site = site_of(troubled)
    for path in ("/outbox", "/"):
        assert "SECRET-PATH" not in site.visit(path).text


def test_an_alert_that_may_not_have_arrived_is_said_so(site_of: Sites) -> None:
    assert "could not be confirmed to have arrived" in site_of(troubled).visit("/").text


def test_an_empty_outbox_says_so(site_of: Sites) -> None:
    def empty(world: World) -> None:
        world.begin(providers=())

    make: Make = empty
    site: Site = site_of(make)
    assert "Nothing waits" in site.visit("/outbox").text
