"""What a running Seedwatch does by itself follows from its configuration."""

import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, select

from monitor.core.clock import ManualClock
from monitor.core.seeds import SeedEntry
from monitor.settings import demo_settings
from monitor.settings.sections import Heartbeat, Operator, Route, Settings, Status
from monitor.steps.start import start
from monitor.store import buckets, jobs, seeds
from monitor.store.engine import upgrade
from monitor.store.jobs import claim
from monitor.store.route_tables import RouteRow
from monitor.store.schedules import fire_due
from monitor.store.tables import CopyRow, OrganisationRow, SeedRow
from monitor.store.work_tables import ScheduleRow
from monitor.wiring import House, build
from monitor.wiring.routine import put_routine

TENANT = {
    "tenant": "t",
    "client_id": "c",
    "client_secret": "s",
    "base_url": "http://127.0.0.1:9",
    "login_url": "http://127.0.0.1:9",
}
Furnish = Callable[..., House]


@pytest.fixture
def furnish(tmp_path: Path, clock: ManualClock) -> Iterator[Furnish]:
    """Houses on one database, with the heartbeat as given."""
    houses: list[House] = []
    first = demo_settings(tmp_path, port=0, tenant=TENANT)

    def made(heartbeat: Heartbeat, visits_per_minute: float = 0, **more: object) -> House:
        reading = first.reading.model_copy(update={"visits_per_minute": visits_per_minute})
        update = {"heartbeat": heartbeat, "reading": reading, **more}
        settings: Settings = first.model_copy(update=update)
        house = build(settings, clock=clock, rng=random.Random(1))
        upgrade(house.engine)
        houses.append(house)
        put_routine(house)
        return house

    yield made
    for house in houses:
        house.close()


def schedules(house: House) -> dict[str, tuple[str, bool]]:
    with Session(house.engine) as session:
        return {s.name: (s.spec, s.enabled) for s in session.exec(select(ScheduleRow)).all()}


def test_headers_are_forgotten_daily_and_advisories_read_where_there_is_a_tenant(
    furnish: Furnish,
) -> None:
    assert schedules(furnish(Heartbeat())) == {
        "forget old headers": ("daily 03:30", True),
        "close quiet incidents": ("every 1h", True),
        "write digests": ("every 30m", True),
        "look for proofs of domains": ("every 1h", True),
        "remind of open incidents": ("every 15m", True),
        "look after this installation": ("every 5m", True),
        "read advisories": ("every 15m", True),
    }


def test_the_operator_of_the_configuration_is_told_without_being_asked_first(
    furnish: Furnish,
) -> None:
    def routes(email: str) -> list[tuple[str, bool]]:
        house = furnish(Heartbeat(), operator=Operator(email=email))
        with Session(house.engine) as session:
            rows = session.exec(select(RouteRow)).all()
            return [(row.address, row.confirmed_at is not None) for row in rows]

    assert routes("") == []
    assert routes("a@example.org") == [("a@example.org", True)]
    assert routes("b@example.org") == [("b@example.org", True)]
    assert routes("") == [("b@example.org", False)]


def test_filters_are_published_where_that_is_wished(furnish: Furnish, clock: ManualClock) -> None:
    house = furnish(Heartbeat(), status=Status(public=True))
    assert schedules(house)["publish filter states"] == ("every 15m", True)
    with Session(house.engine) as session:
        session.add(SeedRow(organisation_id=1, address="a@gmail.example", provider="gmail"))
        session.commit()
    clock.sleep(timedelta(minutes=15))
    house.worker().drain()
    told = house.app().test_client().get("/status.json").get_json()["results"]
    assert [(each["name"], each["state"]) for each in told] == [("Gmail", "unknown")]
    closed = furnish(Heartbeat())
    assert not schedules(closed)["publish filter states"][1]
    assert closed.app().test_client().get("/status").status_code == 404


def test_three_lines_of_configuration_make_a_heartbeat(furnish: Furnish) -> None:
    house = furnish(Heartbeat(enabled=True, every="1h", seed_list="default"))
    assert schedules(house)["heartbeat"] == ("every 1h", True)


def test_a_heartbeat_reaches_every_seed_of_its_list(furnish: Furnish, clock: ManualClock) -> None:
    house = furnish(Heartbeat(enabled=True))
    with Session(house.engine) as session:
        owner = session.exec(select(OrganisationRow)).one()
        entries = [SeedEntry(f"seed{n}@mail.example", "gmail") for n in (1, 2)]
        seeds.import_list(
            session,
            entries,
            organisation_id=owner.id or 0,
            name="default",
            vault=house.vault,
            now=clock.now(),
        )
        clock.sleep(timedelta(hours=2))
        fire_due(session, clock.now())
        (job,) = claim(
            session, now=clock.now(), lease=timedelta(minutes=5), limit=9, kinds={"start"}
        )
        start(session, args=job.args, key=job.unique_key, now=clock.now(), rng=random.Random(1))
        session.commit()
        assert len(session.exec(select(CopyRow)).all()) == 2


def test_starting_again_does_not_put_the_next_heartbeat_off(
    furnish: Furnish, clock: ManualClock
) -> None:
    first = furnish(Heartbeat(enabled=True))
    with Session(first.engine) as session:
        due = session.exec(select(ScheduleRow.next_at).where(ScheduleRow.name == "heartbeat")).one()
    clock.sleep(timedelta(hours=1))
    again = furnish(Heartbeat(enabled=True))
    with Session(again.engine) as session:
        assert (
            session.exec(select(ScheduleRow.next_at).where(ScheduleRow.name == "heartbeat")).one()
            == due
        )


def test_a_heartbeat_that_is_switched_off_stops(furnish: Furnish) -> None:
    furnish(Heartbeat(enabled=True))
    assert schedules(furnish(Heartbeat()))["heartbeat"] == ("every 2h", False)


def looks_at_once(house: House, clock: ManualClock, key: str) -> int:
    """How many of five looks at one provider may begin now."""
    with Session(house.engine) as session:
        for number in range(5):
            jobs.put(
                session,
                "look",
                {},
                unique_key=f"{key}:{number}",
                due_at=clock.now(),
                lane="look:gmail",
            )
        begun = claim(session, now=clock.now(), lease=timedelta(hours=1), limit=99, kinds={"look"})
        session.commit()
    return len(begun)


def test_a_provider_is_visited_no_faster_than_is_configured(
    furnish: Furnish, clock: ManualClock
) -> None:
    house = furnish(Heartbeat(), visits_per_minute=2)
    assert looks_at_once(house, clock, "first") == 2
    clock.sleep(timedelta(minutes=1))
    assert looks_at_once(house, clock, "later") == 2


def test_a_limit_that_is_taken_away_is_gone(furnish: Furnish, clock: ManualClock) -> None:
    furnish(Heartbeat(), visits_per_minute=2)
    assert looks_at_once(furnish(Heartbeat()), clock, "all") == 5


def copies_at_once(house: House, clock: ManualClock) -> int:
    with Session(house.engine) as session:
        return buckets.grant(session, "transport:bulk", 1000, now=clock.now())


def test_a_transport_takes_copies_no_faster_than_is_configured(
    furnish: Furnish, clock: ManualClock
) -> None:
    route = Route(kind="smtp", host="127.0.0.1", copies_per_minute=120)
    limited = furnish(Heartbeat(), transports={"bulk": route})
    assert copies_at_once(limited, clock) == 20  # what flows in ten seconds
    free = route.model_copy(update={"copies_per_minute": 0})
    assert copies_at_once(furnish(Heartbeat(), transports={"bulk": free}), clock) == 1000
