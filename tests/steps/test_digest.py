"""Digests: each in its route's own morning, once, and of nothing but its own senders' mail."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, select

from monitor.core.placements import Placement
from monitor.core.routes import About, Audience, Digest
from monitor.steps.digest import digest, period_of
from monitor.store.route_tables import RouteRow
from monitor.store.verdict_tables import AlertRow
from monitor.store.work_tables import JobRow
from tests.web.conftest import build
from tests.web.worlds import HOUR, NOW, World

LONG_AGO = NOW - timedelta(days=60)


def fate(sender: str, provider: str, number: int, at: datetime) -> Sequence[Placement]:
    return [Placement.SPAM if provider == "gmail" else Placement.INBOX]


def history(world: World) -> None:
    world.begin(providers=("gmail", "yahoo"), each=2)
    world.send("northwind", NOW - 30 * HOUR, lambda *_: [Placement.INBOX])
    world.send("northwind", NOW - 5 * HOUR, fate)
    world.send("fabrikam", NOW - 4 * HOUR, fate)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    where: Path = tmp_path_factory.mktemp("digest")
    return build(history, where)


@pytest.fixture
def session(world: World) -> Iterator[Session]:
    with Session(world.engine) as session:
        yield session
        session.rollback()


def add_route(session: Session, world: World, **fields: Any) -> RouteRow:
    usual = {
        "organisation_id": 1,
        "sender_id": world.senders["northwind"],
        "address": "a@b.example",
        "digest": Digest.DAILY,
        "confirmed_at": LONG_AGO,
    }
    route = RouteRow(**(usual | fields))
    session.add(route)
    session.flush()
    return route


def owed(session: Session, now: datetime = NOW) -> list[AlertRow]:
    return digest(session, domain="watch.example", now=now)


def test_a_digest_counts_the_routes_own_senders_against_the_day_before(
    session: Session, world: World
) -> None:
    add_route(session, world)
    [row] = owed(session)
    places = {one["provider"]: one for one in row.body["providers"]}
    assert (row.about, row.topic) == (About.DIGEST, "2026-03-02")
    assert [one["provider"] for one in row.body["providers"]] == ["gmail", "yahoo"]  # worst first
    assert (places["gmail"]["n"], places["gmail"]["arrived"]) == (2, 0)
    assert (places["gmail"]["before_n"], places["gmail"]["before_arrived"]) == (2, 2)
    assert places["gmail"]["n_eff"] < 2  # copies of one test share a fate
    assert row.body["days"][-1] == {"day": "1 Mar", "n": 4, "arrived": 2}
    assert session.exec(select(JobRow).where(JobRow.kind == "tell")).one().args == {"alert": row.id}


def test_a_route_of_the_organisation_hears_of_all_its_senders(
    session: Session, world: World
) -> None:
    add_route(session, world, sender_id=None)
    [row] = owed(session)
    assert sum(one["n"] for one in row.body["providers"]) == 8


def test_a_digest_is_owed_once(session: Session, world: World) -> None:
    add_route(session, world)
    assert len(owed(session)) == 1
    assert owed(session, NOW + HOUR) == []
    assert len(owed(session, NOW + 24 * HOUR)) == 1


def test_where_nothing_was_measured_there_is_no_figure(session: Session, world: World) -> None:
    add_route(session, world, sender_id=world.senders["tailspin"])
    [row] = owed(session)
    assert row.body["providers"] == []
    assert {day["n"] for day in row.body["days"]} == {0}


@pytest.mark.parametrize(
    "fields",
    [
        {"digest": Digest.NONE},
        {"confirmed_at": None},
        {"confirmed_at": NOW + HOUR},
        {"suspended_at": NOW},
        {"audience": Audience.OPERATOR},
    ],
)
def test_who_did_not_ask_or_cannot_be_told_gets_none(
    session: Session, world: World, fields: dict[str, Any]
) -> None:
    add_route(session, world, **fields)
    assert owed(session, NOW + HOUR / 2) == []


def test_a_morning_that_was_missed_for_long_is_left_out(session: Session, world: World) -> None:
    add_route(session, world)
    assert owed(session, NOW + 21 * HOUR) == []


@pytest.mark.parametrize(
    ("zone", "kind", "now", "start", "end"),
    [
        ("UTC", "daily", "2026-03-02T07:59", "2026-02-28T08:00", "2026-03-01T08:00"),
        ("America", "daily", "2026-03-02T07:59", "2026-02-28T08:00", "2026-03-01T08:00"),
        ("UTC", "weekly", "2026-03-04T12:00", "2026-02-23T08:00", "2026-03-02T08:00"),
        ("Asia/Kolkata", "daily", "2026-03-02T02:30", "2026-03-01T02:30", "2026-03-02T02:30"),
        # Summer time begins on 29 March: that day has 23 hours.
        ("Europe/Berlin", "daily", "2026-03-29T06:30", "2026-03-28T07:00", "2026-03-29T06:00"),
        ("Nowhere/Gone", "daily", "2026-03-02T08:00", "2026-03-01T08:00", "2026-03-02T08:00"),
    ],
)
def test_a_morning_is_that_of_the_routes_own_clock(
    zone: str, kind: str, now: str, start: str, end: str
) -> None:
    route = RouteRow(organisation_id=1, address="x", timezone=zone, digest=Digest(kind))
    period = period_of(route, datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert f"{period.start:%Y-%m-%dT%H:%M}" == start
    assert f"{period.end:%Y-%m-%dT%H:%M}" == end
