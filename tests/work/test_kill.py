"""Workers that are killed at any moment: no job is lost, none takes effect twice."""

import os
import random
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlmodel import Session

from monitor.core.clock import SystemClock
from monitor.store import jobs

JOBS = 60
LEASE_S = 0.6  # short, so that what a killed worker held comes back soon
HALF_S = 0.005  # of a job's work
SLOW_S = 0.1  # of a job's work by who is to be killed, so that the kill finds it at work
CHILD = Path(__file__).parent / "kill_child.py"
END_WITHIN_S = 60


class Hecatomb:
    """Sixty jobs, and workers that die over them."""

    def __init__(self, engine: Engine, queue: str) -> None:
        self.engine, self.queue = engine, queue
        with Session(engine) as session:
            session.execute(text("CREATE TABLE effect (name VARCHAR(20) NOT NULL)"))
            now = SystemClock().now() - timedelta(minutes=1)
            for number in range(JOBS):
                key = f"job-{number}"
                jobs.put(session, "append", {}, unique_key=key, due_at=now, max_attempts=50)
            session.commit()

    def start(self, half_s: float = HALF_S) -> "subprocess.Popen[str]":
        url = self.engine.url.render_as_string(hide_password=False)
        return subprocess.Popen(
            [sys.executable, str(CHILD), url, self.queue, str(LEASE_S), str(half_s)],
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # so that its descendants die with it
        )

    def kill_after(self, begun: int) -> None:
        """Start a worker, and kill it while its *begun*-th job is under way."""
        worker = self.start(SLOW_S)
        assert worker.stdout is not None
        with worker.stdout as said:
            for _ in range(begun):
                said.readline()
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait(END_WITHIN_S)
        assert self.held() > 0, "nothing was under way: this kill proves nothing"

    def finish(self) -> None:
        """Let a worker run until nothing is left."""
        worker = self.start()
        worker.communicate(timeout=END_WITHIN_S)
        assert worker.returncode == 0

    def effects(self) -> list[str]:
        with Session(self.engine) as session:
            return sorted(session.execute(text("SELECT name FROM effect")).scalars())

    def held(self) -> int:
        """How many jobs somebody holds, or held when he died."""
        held = text("SELECT count(*) FROM job WHERE state = 'due' AND lease_until IS NOT NULL")
        with Session(self.engine) as session:
            return int(session.execute(held).scalar_one())

    def left(self) -> jobs.Counts:
        with Session(self.engine) as session:
            return jobs.counts(session, now=SystemClock().now())


EACH_ONCE = sorted(f"job-{number}" for number in range(JOBS))
NOTHING = jobs.Counts(due=0, late=0, leased=0, dead=0)


def kill_often(hecatomb: Hecatomb, *, kills: int, seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(kills):
        hecatomb.kill_after(rng.randint(1, JOBS // (kills + 1)))
    hecatomb.finish()
    assert hecatomb.effects() == EACH_ONCE
    assert hecatomb.left() == NOTHING


def test_in_memory(engine: Engine) -> None:
    kill_often(Hecatomb(engine, "memory"), kills=3, seed=1)


def test_with_a_queue_on_disk(engine: Engine, tmp_path: Path) -> None:
    kill_often(Hecatomb(engine, f"sqlite:{tmp_path / 'queue.db'}"), kills=3, seed=2)


@pytest.mark.parametrize("survivors", [1, 2])
def test_the_workers_that_live_take_over(engine: Engine, tmp_path: Path, survivors: int) -> None:
    """Nobody is restarted: the others see the leases run out."""
    hecatomb = Hecatomb(engine, f"sqlite:{tmp_path / 'queue.db'}")
    others = [hecatomb.start() for _ in range(survivors)]
    hecatomb.kill_after(5)
    for other in others:
        other.communicate(timeout=END_WITHIN_S)
    assert hecatomb.effects() == EACH_ONCE
    assert hecatomb.left() == NOTHING


@pytest.mark.real
def test_on_postgresql_in_memory(postgresql_engine: Engine) -> None:
    kill_often(Hecatomb(postgresql_engine, "memory"), kills=5, seed=3)


@pytest.mark.real
def test_on_postgresql_with_redis(postgresql_engine: Engine, redis: str) -> None:
    kill_often(Hecatomb(postgresql_engine, redis), kills=5, seed=4)


@pytest.mark.real
def test_on_postgresql_with_its_own_queue(postgresql_engine: Engine) -> None:
    queue = postgresql_engine.url.render_as_string(hide_password=False)
    kill_often(Hecatomb(postgresql_engine, queue), kills=5, seed=5)
