"""The worker: what it runs, what it does when that fails, and how it stops."""

import logging
import random
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError
from sqlmodel import Session, select

from monitor.core.clock import ManualClock, SystemClock
from monitor.core.errors import AgainLaterError, PersonNeededError
from monitor.core.patience import LONGEST_PAUSE, pause
from monitor.store import buckets, jobs
from monitor.store.engine import open_engine
from monitor.store.jobs import Job
from monitor.store.schedules import Plan, put_schedule
from monitor.store.tables import OrganisationRow
from monitor.store.work_tables import JobRow, JobState
from monitor.worker import Handler, Worker

WAIT_S = 20.0  # for things that take milliseconds
LEASE = timedelta(minutes=5)


class Shop:
    """A worker under test with its database and clock."""

    def __init__(self, engine: Engine, clock: ManualClock) -> None:
        self.engine, self.clock = engine, clock

    def worker(self, threads: int = 4, queue: str = "memory", **handlers: Handler) -> Worker:
        return Worker(
            self.engine,
            handlers,
            self.clock,
            rng=random.Random(1),
            threads=threads,
            lease=LEASE,
            queue=queue,
        )

    def put(self, kind: str, key: str = "", **more: Any) -> None:
        more.setdefault("args", {})
        with Session(self.engine) as session:
            due_at = self.clock.now()
            jobs.put(session, kind, unique_key=key or kind, due_at=due_at, **more)
            session.commit()

    def row(self, key: str) -> JobRow:
        with Session(self.engine) as session:
            return session.exec(select(JobRow).where(JobRow.unique_key == key)).one()

    def names(self) -> list[str]:
        """What the handlers below wrote."""
        with Session(self.engine) as session:
            return sorted(session.exec(select(OrganisationRow.name)).all())


@pytest.fixture
def shop(engine: Engine, clock: ManualClock) -> Shop:
    return Shop(engine, clock)


def write(session: Session, job: Job) -> None:
    session.add(OrganisationRow(name=job.unique_key))


def write_and_raise(error: Exception) -> Handler:
    def handler(session: Session, job: Job) -> None:
        session.add(OrganisationRow(name=job.unique_key))
        session.flush()
        raise error

    return handler


def test_drain_runs_all_that_is_due(shop: Shop) -> None:
    for number in range(150):  # more than are claimed at once
        shop.put("write", f"{number:03}")
    assert shop.worker(write=write).drain() == 150
    assert shop.names() == [f"{number:03}" for number in range(150)]


def test_drain_runs_what_the_jobs_ask_for_in_turn(shop: Shop) -> None:
    def chain(session: Session, job: Job) -> None:
        rung = job.args["rung"]
        write(session, job)
        if rung < 20:
            key, due_at = f"{rung + 1:02}", shop.clock.now()
            jobs.put(session, "chain", {"rung": rung + 1}, unique_key=key, due_at=due_at)

    shop.put("chain", "00", args={"rung": 0})
    assert shop.worker(chain=chain).drain() == 21


def test_drain_leaves_what_is_not_due(shop: Shop) -> None:
    with Session(shop.engine) as session:
        due_at = shop.clock.now() + timedelta(seconds=1)
        jobs.put(session, "write", {}, unique_key="later", due_at=due_at)
        session.commit()
    worker = shop.worker(write=write)
    assert worker.drain() == 0
    shop.clock.sleep(timedelta(seconds=1))
    assert worker.drain() == 1


def test_drain_fires_schedules(shop: Shop) -> None:
    with Session(shop.engine) as session:
        session.add(OrganisationRow(id=1, name="owner"))
        session.flush()
        put_schedule(session, 1, "beat", Plan("write", "every 2h"), now=shop.clock.now())
        session.commit()
    worker = shop.worker(write=write)
    ran = []
    for _ in range(4):
        shop.clock.sleep(timedelta(hours=1))
        ran.append(worker.drain())
    assert ran == [0, 1, 0, 1]


def test_a_worker_can_be_drained_often_with_its_threads_kept(shop: Shop) -> None:
    with shop.worker(write=write) as worker:
        for number in range(5):
            shop.put("write", str(number))
            assert worker.drain() == 1
    shop.put("write", "afterwards")
    assert worker.drain() == 1


def test_kinds_that_it_does_not_know_wait_for_others(shop: Shop) -> None:
    shop.put("write")
    assert shop.worker(other=write).drain() == 0
    assert shop.row("write").attempt == 0


def test_work_and_completion_are_one_transaction(shop: Shop) -> None:
    """What a handler wrote is gone when its job does not count."""
    shop.put("fail")
    shop.worker(fail=write_and_raise(ZeroDivisionError("x"))).drain()
    assert shop.names() == []
    assert shop.row("fail").state is JobState.DUE


def test_trouble_that_may_pass_is_tried_again_later(shop: Shop) -> None:
    shop.put("fail")
    worker = shop.worker(fail=write_and_raise(AgainLaterError("mailbox busy")))
    assert worker.drain() == 1
    row = shop.row("fail")
    assert row.last_error == "mailbox busy"
    wait = row.due_at - shop.clock.now()
    assert timedelta(seconds=15) <= wait <= timedelta(seconds=30)
    shop.clock.sleep(wait)
    assert worker.drain() == 1
    assert shop.row("fail").attempt == 2


def test_a_wait_that_the_other_side_asks_for_is_kept(shop: Shop) -> None:
    shop.put("fail")
    error = AgainLaterError("throttled", retry_after=timedelta(hours=3))
    shop.worker(fail=write_and_raise(error)).drain()
    assert shop.row("fail").due_at >= shop.clock.now() + timedelta(hours=3)


def test_what_a_person_must_mend_is_given_up_at_once(shop: Shop) -> None:
    shop.put("fail")
    error = PersonNeededError("sign-in refused.", remedy="Renew the password.")
    shop.worker(fail=write_and_raise(error)).drain()
    row = shop.row("fail")
    assert (row.state, row.attempt) == (JobState.DEAD, 1)
    assert row.last_error == "sign-in refused. Renew the password."


def test_a_bug_is_logged_tried_again_and_given_up_in_the_end(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.put("fail", max_attempts=3)
    worker = shop.worker(fail=write_and_raise(ZeroDivisionError("by zero")))
    attempts = 0
    while shop.row("fail").state is JobState.DUE:
        shop.clock.sleep(LONGEST_PAUSE)
        attempts += worker.drain()
    assert attempts == 3
    assert shop.row("fail").last_error == "ZeroDivisionError: by zero"
    assert "Traceback" in caplog.text
    assert "test_worker.py" in caplog.text


def test_one_bad_handler_holds_up_nobody(shop: Shop) -> None:
    for number in range(20):
        shop.put("fail", f"bad-{number}")
        shop.put("write", f"good-{number:02}")
    shop.worker(fail=write_and_raise(RuntimeError("x")), write=write).drain()
    assert shop.names() == [f"good-{number:02}" for number in range(20)]


def test_a_database_error_in_a_handler_is_that_jobs_alone(shop: Shop) -> None:
    def clash(session: Session, job: Job) -> None:
        for _ in range(2):
            session.add(OrganisationRow(name="same"))
        session.flush()

    shop.put("clash")
    shop.worker(clash=clash).drain()
    assert shop.names() == []
    assert "IntegrityError" in shop.row("clash").last_error


def test_what_took_so_long_that_others_have_it_does_not_count(shop: Shop) -> None:
    def slow(session: Session, job: Job) -> None:
        shop.clock.sleep(LEASE)
        with Session(shop.engine) as other:
            stolen = jobs.claim(other, now=shop.clock.now(), lease=LEASE, limit=1)
            other.commit()
        assert [(s.id, s.attempt) for s in stolen] == [(job.id, job.attempt + 1)]
        write(session, job)

    shop.put("slow")
    assert shop.worker(slow=slow).drain() == 1
    assert shop.names() == []
    assert shop.row("slow").attempt == 2


def test_a_long_job_keeps_its_lease(shop: Shop) -> None:
    """The clock runs through four leases while the handler works."""

    def long(session: Session, job: Job) -> None:
        for _ in range(8):
            shop.clock.sleep(LEASE / 2)
            wanted = shop.clock.now() + LEASE
            assert wait_until(lambda at=wanted: shop.row("long").lease_until >= at)
        write(session, job)

    shop.put("long")
    shop.worker(long=long).drain()
    assert shop.names() == ["long"]


def test_a_limited_lane_keeps_to_its_rate(shop: Shop) -> None:
    with Session(shop.engine) as session:
        now = shop.clock.now()
        buckets.set_rate(session, "gmail", rate_per_s=1, burst=2, now=now)
        session.commit()
    for number in range(5):
        shop.put("write", str(number), lane="gmail")
    with shop.worker(write=write) as worker:
        ran = []
        for _ in range(4):
            ran.append(worker.drain())
            shop.clock.sleep(timedelta(seconds=1))
    assert ran == [2, 1, 1, 1]


def wait_until(is_so: Callable[[], bool]) -> bool:
    """Look again and again, for a bounded time."""
    never = threading.Event()
    for _ in range(int(WAIT_S / 0.01)):
        if is_so():
            return True
        never.wait(0.01)
    return False


class Running:
    """A worker that runs in a thread until the end of the block."""

    def __init__(self, worker: Worker) -> None:
        self.stop = threading.Event()
        self.thread = threading.Thread(target=worker.run, args=(self.stop,))

    def __enter__(self) -> "Running":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join(WAIT_S)
        assert not self.thread.is_alive()


@pytest.mark.parametrize("queue", ["memory", "sqlite"])
def test_run_takes_work_as_it_comes_until_it_is_stopped(
    shop: Shop, queue: str, tmp_path: Any
) -> None:
    address = f"sqlite:{tmp_path / 'queue.db'}" if queue == "sqlite" else queue
    with Running(shop.worker(queue=address, write=write)):
        for number in range(3):
            shop.put("write", str(number))
            assert wait_until(lambda n=number: len(shop.names()) == n + 1)


def test_stopping_lets_the_running_job_end_and_hands_the_others_back(shop: Shop) -> None:
    began, never = threading.Event(), threading.Event()

    def take_a_while(session: Session, job: Job) -> None:
        began.set()
        never.wait(0.05)
        write(session, job)

    for number in range(50):
        shop.put("slow", f"{number:02}")
    with Running(shop.worker(threads=1, slow=take_a_while)):
        assert began.wait(WAIT_S)
    done = len(shop.names())
    with Session(shop.engine) as session:
        left = jobs.counts(session, now=shop.clock.now())
    assert 1 <= done < 50
    assert left == jobs.Counts(due=50 - done, late=50 - done, leased=0, dead=0)


def test_a_worker_outlives_a_database_that_is_away(
    tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'empty.db'}")  # without a single table
    worker = Worker(engine, {"write": write}, SystemClock(), rng=random.Random(1))
    with Running(worker) as running:
        assert wait_until(lambda: "cannot look for work" in caplog.text)
        assert running.thread.is_alive()
    engine.dispose()


def test_drain_does_not_hide_a_database_that_is_away(tmp_path: Any) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'empty.db'}")
    worker = Worker(engine, {"write": write}, SystemClock(), rng=random.Random(1))
    with pytest.raises(OperationalError, match="no such table"):
        worker.drain()
    engine.dispose()


def test_logs_name_the_job_never_its_arguments(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    shop.put("fail", args={"password": "hunter2"}, max_attempts=1)
    shop.put("write", args={"password": "hunter2"})
    shop.worker(fail=write_and_raise(RuntimeError("x")), write=write).drain()
    assert "(fail)" in caplog.text
    assert "hunter2" not in caplog.text


@given(st.integers(1, 10**6), st.integers())
def test_the_wait_before_a_retry_doubles_with_jitter_within_bounds(attempt: int, seed: int) -> None:
    wait = pause(attempt, random.Random(seed))
    full = min(timedelta(seconds=30) * 2 ** min(attempt - 1, 20), LONGEST_PAUSE)
    assert full / 2 <= wait <= full
