"""Copies that are found, and tokens that are taken, by several workers at the same moment."""

import random
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from monitor.core.clock import ManualClock
from monitor.store import buckets, expected, new_tests
from monitor.store.columns import saved
from monitor.store.new_tests import Expectation
from monitor.store.tables import HandoverRow, TestRow
from monitor.store.work_tables import JobRow
from tests.steps.world import World
from tests.work.conftest import postgresql, postgresql_engine

__all__ = ["postgresql", "postgresql_engine"]  # fixtures

pytestmark = pytest.mark.real


@pytest.fixture
def engine(postgresql_engine: Engine) -> Engine:
    """In place of the SQLite file of these tests."""
    return postgresql_engine


def at_once(engine: Engine, work: Callable[[Session, int], None], count: int = 8) -> None:
    """Do *work* in so many transactions at the same time."""
    together = threading.Barrier(count)

    def one(number: int) -> None:
        with Session(engine) as session:
            together.wait(10)
            work(session, number)
            session.commit()

    threads = [threading.Thread(target=one, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)


def test_a_campaign_arrives_once_however_many_seeds_find_it(
    engine: Engine, world: World, session: Session, clock: ManualClock
) -> None:
    test_id = saved(
        new_tests.expect(
            session,
            world.campaign,
            Expectation("k", timedelta(hours=1)),
            seed_list_id=world.seed_list_id,
            now=clock.now(),
            rng=random.Random(1),
        ).id
    )
    session.commit()
    world.later(minutes=20)
    now = clock.now()

    def found(one: Session, number: int) -> None:
        came = now - timedelta(minutes=number)
        expected.arrive(one, test_id, received_at=came, now=now)

    at_once(engine, found)
    assert session.get_one(TestRow, test_id).send_at == now - timedelta(minutes=7)
    assert len(session.exec(select(HandoverRow)).all()) == 3
    assert len(session.exec(select(JobRow).where(JobRow.kind == "observe")).all()) == 1


def test_no_token_is_taken_twice(engine: Engine, session: Session, clock: ManualClock) -> None:
    buckets.set_rate(session, "transport:bulk", rate_per_s=1, burst=20, now=clock.now())
    session.commit()
    granted: list[int] = []

    def take(one: Session, _number: int) -> None:
        granted.append(buckets.grant(one, "transport:bulk", 5, now=clock.now()))

    at_once(engine, take)
    assert sum(granted) == 20
