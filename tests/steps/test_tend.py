"""What the operator of an installation is told of it, and nobody else."""

from datetime import timedelta

import pytest
from sqlmodel import Session, col, select

from monitor.core.errors import MailboxLockedError
from monitor.core.incidents import Cause
from monitor.core.routes import About, Arrival, Audience, Severity
from monitor.core.upkeep import Room
from monitor.steps.tend import tend
from monitor.store import jobs, seed_health
from monitor.store.columns import saved
from monitor.store.feed_tables import FeedRow
from monitor.store.route_tables import RouteRow
from monitor.store.seed_health import Attempt
from monitor.store.tables import SeedRow
from monitor.store.troubles import open_trouble, open_troubles
from monitor.store.verdict_tables import AlertRow
from tests.steps.stories import event
from tests.steps.telling import DOMAIN, Channel, add_route, deliver, happens, the_route
from tests.steps.world import World

WIDE = Room(free=10**12, total=2 * 10**12)
NARROW = Room(free=10**8, total=10**12)


@pytest.fixture
def operator(world: World) -> RouteRow:
    return add_route(world, "ops@example.org", audience=Audience.OPERATOR, sender_id=None)


def turn(world: World, room: Room = WIDE) -> list[str]:
    """Look after the installation once; return the keys of what is in trouble then."""
    tend(
        world.session,
        rooms={"database": lambda: room},
        names={"gmail": "Gmail"},
        alert_domain=DOMAIN,
        clock=world.clock,
    )
    world.session.commit()
    return [row.key for row in open_troubles(world.session)]


def owed(world: World) -> list[AlertRow]:
    """What operators are owed about the disk: that nobody works here is trouble as well."""
    mine = select(AlertRow).where(AlertRow.about == About.OPERATOR)
    rows = world.session.exec(mine.order_by(col(AlertRow.id))).all()
    return [row for row in rows if "on the disk" in str(row.body["sentence"])]


def lock(world: World, session: Session, count: int) -> None:
    locked = MailboxLockedError("sign-in refused.", remedy="Make a new app password.")
    for seed in session.exec(select(SeedRow).limit(count)).all():
        seed_health.record(session, Attempt(saved(seed.id), world.clock.now(), 0.1, locked))
    session.commit()


def test_a_full_disk_is_told_once_and_its_end_too(world: World, operator: RouteRow) -> None:
    assert turn(world, NARROW) == ["disk:database"]
    assert turn(world, NARROW) == ["disk:database"]
    assert turn(world) == []
    assert turn(world) == []
    told = owed(world)
    assert [row.topic for row in told] == ["opened", "closed"]
    assert {row.route_id for row in told} == {operator.id}
    assert "0.1 GB (0%) are free" in str(told[0].body["sentence"])


def test_senders_do_not_hear_of_it_and_the_operator_hears_of_no_mail(
    world: World, operator: RouteRow
) -> None:
    happens(world, event(world.clock.now()))
    turn(world, NARROW)
    rows = world.session.exec(select(AlertRow)).all()
    whom = {(row.about, row.route_id) for row in rows}
    assert whom == {(About.OPERATOR, operator.id), (About.INCIDENT, the_route(world).id)}


def test_trouble_that_lasts_is_told_again_each_day(world: World, operator: RouteRow) -> None:
    for _ in range(3):
        turn(world, NARROW)
        world.later(hours=20)
    assert [row.topic for row in owed(world)] == ["opened", "reminder/1"]
    assert operator.remind_hours == 24


def test_without_anybody_to_tell_it_is_known_all_the_same(world: World) -> None:
    assert turn(world, NARROW) == ["disk:database"]
    assert owed(world) == []


def test_mailboxes_that_cannot_be_read_for_an_hour_are_one_trouble_a_provider(
    world: World, session: Session
) -> None:
    lock(world, session, 2)
    assert turn(world) == []
    world.later(hours=1)
    assert turn(world) == ["reader:gmail"]
    [row] = open_troubles(session)
    assert "seed1@mail.example and 1 more at Gmail" in row.sentence
    assert row.remedy == "Make a new app password."


def test_a_seed_of_which_the_judge_says_that_it_is_apart_is_the_operators_business(
    world: World,
) -> None:
    happens(world, event(world.clock.now(), cause=Cause.SEED))
    assert turn(world) == ["seed:inc-1"]


def test_a_feed_that_has_fallen_silent_is_named(world: World, session: Session) -> None:
    now = world.clock.now()
    session.add(FeedRow(name="google", asked_at=now, answered_at=now, failures=1))
    assert turn(world) == []
    world.later(hours=2)
    assert turn(world) == ["feed:google"]


def test_work_that_nobody_does_is_late_after_ten_minutes(world: World, session: Session) -> None:
    jobs.put(session, "observe", {}, unique_key="o", due_at=world.clock.now())
    world.later(minutes=9)
    assert turn(world) == []
    world.later(minutes=1)
    assert turn(world) == ["queue"]
    assert open_troubles(session)[0].severity is Severity.CRITICAL


def test_what_became_of_alerts_is_told_too(world: World, session: Session) -> None:
    [alert] = happens(world, event(world.clock.now()))
    deliver(world, alert, Channel(MailboxLockedError("no such mailbox.")))
    alert.arrival = Arrival.UNCONFIRMED
    session.add(alert)
    route = f"route:{the_route(world).id}"
    assert set(turn(world)) == {"alerts", route, "arrival:inc-1"}
    world.later(days=1, minutes=1)
    assert turn(world) == [route]


def test_where_a_route_leads_is_told_without_what_may_be_secret(
    world: World, session: Session
) -> None:
    url = "https://hooks.example.org/services/T0/secret-path?key=secret-query"
    add_route(world, url, kind="webhook", suspended_at=world.clock.now(), suspended_why="gone")
    turn(world)
    [told] = open_troubles(session)
    assert "https://hooks.example.org/..." in told.sentence
    assert "secret" not in told.sentence + told.remedy


def test_work_of_warning_that_was_given_up_is_told_whatever_the_reason(
    world: World, session: Session
) -> None:
    now = world.clock.now()
    for kind in ("tell", "check"):
        jobs.put(session, kind, {}, unique_key=kind, due_at=now)
    for job in jobs.claim(session, now=now, lease=timedelta(minutes=5), limit=9):
        jobs.begin(session, job.id, job.attempt, now=now, lease=timedelta(minutes=5))
        jobs.bury(session, job, error="KeyError: 'name'", now=now)
    assert turn(world) == ["worker:warning"]
    [told] = open_troubles(session)
    assert told.severity is Severity.CRITICAL
    assert "1 of: tell" in told.sentence
    assert "KeyError" in told.sentence


def test_what_others_have_opened_is_not_closed_here(world: World, session: Session) -> None:
    open_trouble(session, "theirs:1", "s", "r", Severity.INFO, world.clock.now())
    assert turn(world) == ["theirs:1"]


def test_a_disk_is_low_below_a_share_or_an_amount() -> None:
    small, large = 10**10, 10**13
    assert Room(free=9 * 10**8, total=small).is_low
    assert not Room(free=2 * 10**9, total=small).is_low
    assert Room(free=4 * 10**11, total=large).is_low


def test_an_end_is_told_only_where_the_beginning_was(world: World, operator: RouteRow) -> None:
    turn(world, NARROW)
    late = add_route(world, "late@example.org", audience=Audience.OPERATOR, sender_id=None)
    turn(world)
    assert late.id not in {row.route_id for row in owed(world)}
    world.later(seconds=timedelta(days=2).total_seconds())
    turn(world)
    assert [row.topic for row in owed(world)] == ["opened", "closed"]
    assert operator.id
