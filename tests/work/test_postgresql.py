"""The same store on PostgreSQL, where the statements differ."""

import random
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine
from sqlmodel import Session, SQLModel

from monitor.core.clock import ManualClock
from monitor.core.errors import BadInputError
from monitor.store import buckets, jobs
from monitor.store.engine import backup, is_current, upgrade
from monitor.store.jobs import Job
from monitor.store.schedules import Plan, fire_due, put_schedule
from monitor.store.tables import OrganisationRow
from monitor.worker import Worker

pytestmark = pytest.mark.real

LEASE = timedelta(minutes=5)


def put(engine: Engine, clock: ManualClock, count: int, lane: str = "") -> None:
    with Session(engine) as session:
        for number in range(count):
            key = f"{lane}:{number}"
            jobs.put(session, "look", {}, unique_key=key, due_at=clock.now(), lane=lane)
        session.commit()


def in_threads(count: int, work: Callable[[], None]) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_the_migrations_make_what_the_tables_say(postgresql_engine: Engine) -> None:
    upgrade(postgresql_engine)
    assert is_current(postgresql_engine)
    with postgresql_engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_many_dispatchers_never_claim_the_same_job(
    postgresql_engine: Engine, clock: ManualClock
) -> None:
    put(postgresql_engine, clock, 300)
    claimed: list[int] = []

    def dispatch() -> None:
        with Session(postgresql_engine) as session:
            while found := jobs.claim(session, now=clock.now(), lease=LEASE, limit=7):
                session.commit()
                claimed.extend(job.id for job in found)

    in_threads(4, dispatch)
    assert len(claimed) == len(set(claimed)) == 300


def test_many_dispatchers_together_keep_to_a_lanes_rate(
    postgresql_engine: Engine, clock: ManualClock
) -> None:
    with Session(postgresql_engine) as session:
        buckets.set_rate(session, "gmail", rate_per_s=1, burst=10, now=clock.now())
        session.commit()
    put(postgresql_engine, clock, 50, lane="gmail")
    claimed: list[Job] = []

    def dispatch() -> None:
        with Session(postgresql_engine) as session:
            for _ in range(20):
                claimed.extend(jobs.claim(session, now=clock.now(), lease=LEASE, limit=3))
                session.commit()

    in_threads(4, dispatch)
    assert len(claimed) == 10


def test_work_that_many_ask_for_at_once_is_put_once(
    postgresql_engine: Engine, clock: ManualClock
) -> None:
    made: list[bool] = []

    def ask() -> None:
        with Session(postgresql_engine) as session:
            for number in range(50):
                key = str(number)
                made.append(jobs.put(session, "look", {}, unique_key=key, due_at=clock.now()))
                session.commit()

    in_threads(4, ask)
    assert made.count(True) == 50


def test_a_request_is_not_swallowed_by_a_job_that_ends_at_the_same_moment(
    postgresql_engine: Engine, clock: ManualClock
) -> None:
    """The request waits for the other's transaction, and then makes a job of its own."""
    put(postgresql_engine, clock, 1, lane="a")
    with Session(postgresql_engine) as ending, Session(postgresql_engine) as asking:
        (job,) = jobs.claim(ending, now=clock.now(), lease=LEASE, limit=1)
        jobs.begin(ending, job.id, job.attempt, now=clock.now(), lease=LEASE)
        ending.commit()
        jobs.finish(ending, job, now=clock.now())
        made: list[bool] = []

        def ask() -> None:
            made.append(jobs.put(asking, "look", {}, unique_key=job.unique_key, due_at=clock.now()))
            asking.commit()

        asker = threading.Thread(target=ask)
        asker.start()
        ending.commit()
        asker.join()
        assert made == [True]
        assert len(jobs.claim(ending, now=clock.now(), lease=LEASE, limit=5)) == 1


def test_a_slot_is_fired_once_by_many_workers(
    postgresql_engine: Engine, clock: ManualClock
) -> None:
    with Session(postgresql_engine) as session:
        session.add(OrganisationRow(id=1, name="owner"))
        session.flush()
        put_schedule(session, 1, "beat", Plan("look", "every 2h"), now=clock.now())
        session.commit()
    clock.sleep(timedelta(hours=2))
    fired: list[int] = []

    def fire() -> None:
        with Session(postgresql_engine) as session:
            fired.append(fire_due(session, clock.now()))
            session.commit()

    in_threads(4, fire)
    assert sum(fired) == 1


@pytest.mark.parametrize("kind", ["memory", "sqlite", "redis", "postgresql"])
def test_a_worker_drains_through_every_queue(
    postgresql_engine: Engine, clock: ManualClock, redis: str, tmp_path: Path, kind: str
) -> None:
    queues = {
        "memory": "memory",
        "sqlite": f"sqlite:{tmp_path / 'queue.db'}",
        "redis": redis,
        "postgresql": postgresql_engine.url.render_as_string(hide_password=False),
    }
    put(postgresql_engine, clock, 100)
    ran: list[int] = []
    worker = Worker(
        postgresql_engine,
        {"look": lambda _session, job: ran.append(job.id)},
        clock,
        rng=random.Random(1),
        queue=queues[kind],
    )
    assert worker.drain() == 100
    assert len(set(ran)) == 100


def test_it_is_not_ours_to_copy(postgresql_engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="pg_dump"):
        backup(postgresql_engine, tmp_path / "copy.db")
