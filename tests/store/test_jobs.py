"""The life of a job: put, claimed, begun, ended, or lost and claimed again."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import Session, select

from monitor.core.clock import ManualClock
from monitor.store import backlog, jobs
from monitor.store.jobs import Job
from monitor.store.work_tables import JobRow, JobState

MINUTE = timedelta(minutes=1)
LEASE = 5 * MINUTE


@pytest.fixture
def work(session: Session, clock: ManualClock) -> "Work":
    return Work(session, clock)


class Work:
    """The functions under test, by the clock of the test."""

    def __init__(self, session: Session, clock: ManualClock) -> None:
        self.session, self.clock = session, clock

    def put(self, key: str, *, after: timedelta = timedelta(), **more: Any) -> bool:
        due_at = self.clock.now() + after
        args = more.pop("args", {})
        return jobs.put(self.session, "look", args, unique_key=key, due_at=due_at, **more)

    def claim(self, limit: int = 100, **more: Any) -> list[Job]:
        return jobs.claim(self.session, now=self.clock.now(), lease=LEASE, limit=limit, **more)

    def begin(self, job: Job) -> Job | None:
        return jobs.begin(self.session, job.id, job.attempt, now=self.clock.now(), lease=LEASE)

    def start(self) -> Job:
        """Claim the only job and begin it."""
        (job,) = self.claim()
        begun = self.begin(job)
        assert begun is not None
        return begun

    def finish(self, job: Job) -> bool:
        return jobs.finish(self.session, job, now=self.clock.now())

    def row(self, key: str) -> JobRow:
        self.session.expire_all()
        return self.session.exec(select(JobRow).where(JobRow.unique_key == key)).one()


def test_a_job_runs_once(work: Work) -> None:
    assert work.put("a", args={"seed": 7}, lane="gmail")
    job = work.start()
    assert (job.kind, job.args, job.lane, job.attempt) == ("look", {"seed": 7}, "gmail", 1)
    assert work.finish(job)
    work.clock.sleep(timedelta(days=30))
    assert work.claim() == []
    assert work.row("a").state is JobState.DONE


def test_work_that_is_not_due_waits(work: Work) -> None:
    work.put("a", after=MINUTE)
    assert work.claim() == []
    work.clock.sleep(MINUTE)
    assert len(work.claim()) == 1


def test_the_oldest_comes_first_and_no_more_than_asked_for(work: Work) -> None:
    for key, minutes in (("new", 2), ("old", 0), ("middle", 1)):
        work.put(key, after=minutes * MINUTE)
    work.clock.sleep(3 * MINUTE)
    assert [job.unique_key for job in work.claim(2)] == ["old", "middle"]
    assert [job.unique_key for job in work.claim(2)] == ["new"]


def test_a_worker_takes_only_the_kinds_that_it_knows(work: Work) -> None:
    work.put("a")
    assert work.claim(kinds={"send"}) == []
    assert len(work.claim(kinds={"send", "look"})) == 1


def test_the_same_work_is_not_put_twice(work: Work) -> None:
    assert [work.put("a"), work.put("a"), work.put("b")] == [True, False, True]
    assert len(work.claim()) == 2


def test_asking_again_moves_waiting_work_earlier_never_later(work: Work) -> None:
    work.put("a", after=3 * MINUTE)
    work.put("a", after=MINUTE)
    work.put("a", after=2 * MINUTE)
    assert work.row("a").due_at == work.clock.now() + MINUTE


def test_asking_again_does_not_shorten_the_wait_after_a_failure(work: Work) -> None:
    work.put("a")
    later = work.clock.now() + timedelta(hours=1)
    jobs.retry(work.session, work.start(), error="greylisted", due_at=later)
    assert not work.put("a")
    assert work.row("a").due_at == later


def test_work_that_is_done_can_be_asked_for_anew(work: Work) -> None:
    work.put("a")
    work.finish(work.start())
    assert work.put("a")
    assert len(work.claim()) == 1


def test_asking_while_it_runs_lets_it_run_once_more(work: Work) -> None:
    """It may have read its input already: the request must not be swallowed."""
    work.put("a", args={"n": 1})
    running = work.start()
    assert work.put("a", args={"n": 2}, after=MINUTE)
    assert work.claim() == []
    assert work.finish(running)
    assert work.claim() == []
    work.clock.sleep(MINUTE)
    (again,) = work.claim()
    assert (again.args, again.attempt) == ({"n": 2}, 1)


def test_asking_while_it_waits_in_a_queue_is_covered_by_the_run_to_come(work: Work) -> None:
    work.put("a")
    (claimed,) = work.claim()
    assert not work.put("a")
    begun = work.begin(claimed)
    assert begun is not None
    work.finish(begun)
    assert work.claim() == []


def test_a_handler_may_ask_for_its_own_next_turn(work: Work) -> None:
    work.put("ladder", args={"rung": 0})
    for rung in range(15):  # more turns than it has attempts
        job = work.start()
        assert job.args == {"rung": rung}
        work.put("ladder", args={"rung": rung + 1})
        assert work.finish(job)


def test_what_was_asked_for_while_it_ran_survives_its_death(work: Work) -> None:
    work.put("a")
    running = work.start()
    work.put("a", args={"n": 2})
    jobs.bury(work.session, running, error="no such seed", now=work.clock.now())
    (again,) = work.claim()
    assert again.args == {"n": 2}


def test_what_a_dead_worker_held_comes_back_when_the_lease_runs_out(work: Work) -> None:
    work.put("a")
    first = work.start()
    work.clock.sleep(LEASE - timedelta(seconds=1))
    assert work.claim() == []
    work.clock.sleep(timedelta(seconds=1))
    second = work.start()
    assert (first.attempt, second.attempt) == (1, 2)


def test_who_lost_a_job_can_do_nothing_to_it(work: Work) -> None:
    work.put("a")
    first = work.start()
    work.clock.sleep(LEASE)
    second = work.start()
    now = work.clock.now()
    assert not work.finish(first)
    assert not jobs.retry(work.session, first, error="x", due_at=now)
    assert not jobs.bury(work.session, first, error="x", now=now)
    assert work.begin(first) is None
    jobs.renew(work.session, [(first.id, first.attempt)], now=now, lease=10 * LEASE)
    assert work.row("a").lease_until == now + LEASE
    assert work.finish(second)
    assert not work.finish(second)


def test_a_delivery_that_comes_twice_starts_once(work: Work) -> None:
    work.put("a")
    (claimed,) = work.claim()
    assert work.begin(claimed) is not None
    assert work.begin(claimed) is None


def test_a_job_that_was_claimed_but_not_begun_cannot_be_finished(work: Work) -> None:
    work.put("a")
    (claimed,) = work.claim()
    assert not work.finish(claimed)


def test_a_renewed_lease_keeps_others_out(work: Work) -> None:
    work.put("a")
    job = work.start()
    work.clock.sleep(LEASE - MINUTE)
    jobs.renew(work.session, [(job.id, job.attempt)], now=work.clock.now(), lease=LEASE)
    work.clock.sleep(LEASE - MINUTE)
    assert work.claim() == []
    assert work.finish(job)


def test_a_retry_comes_back_at_its_time_with_its_error_kept(work: Work) -> None:
    work.put("a")
    due_at = work.clock.now() + MINUTE
    assert jobs.retry(work.session, work.start(), error="x" * 5000, due_at=due_at)
    assert work.claim() == []
    assert work.row("a").last_error == "x" * 1000
    work.clock.sleep(MINUTE)
    (job,) = work.claim()
    assert job.attempt == 2
    assert not job.is_last_attempt


def test_a_dead_job_stays_visible_and_lets_go_of_its_key(work: Work) -> None:
    work.put("a")
    assert jobs.bury(work.session, work.start(), error="locked out", now=work.clock.now())
    assert [job.last_error for job in backlog.dead(work.session, limit=5)] == ["locked out"]
    assert work.claim() == []
    assert work.put("a")


def test_a_job_that_kills_its_workers_is_given_up(work: Work) -> None:
    work.put("a", max_attempts=3)
    for _ in range(3):
        work.start()
        work.clock.sleep(LEASE)
    assert work.claim() == []
    (dead,) = backlog.dead(work.session, limit=5)
    assert dead.last_error == jobs.LOST


def test_what_was_asked_for_survives_even_a_job_that_kills_its_workers(work: Work) -> None:
    work.put("a", max_attempts=1)
    work.start()
    work.put("a", args={"n": 2})
    work.clock.sleep(LEASE)
    assert work.claim() == []  # the first is given up here
    (again,) = work.claim()
    assert (again.args, again.attempt) == ({"n": 2}, 1)


def test_a_dead_job_can_be_revived_with_all_its_attempts(work: Work) -> None:
    work.put("a", args={"seed": 7}, max_attempts=1, lane="gmail")
    job = work.start()
    jobs.bury(work.session, job, error="locked out", now=work.clock.now())
    assert backlog.revive(work.session, job.id, now=work.clock.now())
    again = work.start()
    assert (again.args, again.attempt, again.max_attempts) == ({"seed": 7}, 1, 1)
    assert again.lane == "gmail"


def test_only_the_dead_are_revived_and_not_if_they_were_replaced(work: Work) -> None:
    work.put("a")
    job = work.start()
    assert not backlog.revive(work.session, job.id, now=work.clock.now())
    jobs.bury(work.session, job, error="x", now=work.clock.now())
    work.put("a")
    assert not backlog.revive(work.session, job.id, now=work.clock.now())
    assert not backlog.revive(work.session, 12345, now=work.clock.now())
    assert len(work.claim()) == 1


def test_a_stopping_worker_hands_back_what_it_did_not_begin(work: Work) -> None:
    work.put("a", max_attempts=2)
    work.put("b", max_attempts=2)
    begun, waiting = work.claim()
    work.begin(begun)
    for _ in range(5):  # so often that it would be given up if it counted
        held = [(begun.id, begun.attempt), (waiting.id, waiting.attempt)]
        jobs.release(work.session, held)
        assert work.begin(waiting) is None
        (waiting,) = work.claim()
    assert waiting.unique_key == "b"
    assert not waiting.is_last_attempt


def test_lost_names_what_ended_or_went_to_others(work: Work) -> None:
    for key in "abc":
        work.put(key)
    done, taken, kept = (work.begin(job) for job in work.claim())
    assert done is not None
    assert taken is not None
    assert kept is not None
    work.finish(done)
    held = {(job.id, job.attempt) for job in (done, taken, kept)}
    work.clock.sleep(LEASE - MINUTE)
    jobs.renew(work.session, [(kept.id, kept.attempt)], now=work.clock.now(), lease=LEASE)
    work.clock.sleep(MINUTE)
    work.claim()
    assert jobs.lost(work.session, held) == held - {(kept.id, kept.attempt)}
    assert jobs.lost(work.session, set()) == set()


def test_counts_tell_waiting_late_leased_and_dead_apart(work: Work) -> None:
    work.put("dead")
    jobs.bury(work.session, work.start(), error="x", now=work.clock.now())
    work.put("done")
    work.finish(work.start())
    work.put("leased")
    work.claim()
    work.put("late")
    work.put("later", after=MINUTE)
    found = jobs.counts(work.session, now=work.clock.now())
    assert found == jobs.Counts(due=3, late=1, leased=1, dead=1)


def test_next_due_tells_when_a_claim_can_find_something(work: Work) -> None:
    now = work.clock.now()
    assert jobs.next_due(work.session) is None
    work.put("a", after=MINUTE)
    assert jobs.next_due(work.session) == now + MINUTE
    assert jobs.next_due(work.session, kinds={"send"}) is None
    work.clock.sleep(MINUTE)
    job = work.start()
    assert jobs.next_due(work.session) == work.clock.now() + LEASE
    work.finish(job)
    assert jobs.next_due(work.session) is None


def test_old_done_jobs_are_forgotten_and_no_others(work: Work) -> None:
    for key in ("old", "older"):
        work.put(key)
        work.finish(work.start())
    work.put("dead")
    jobs.bury(work.session, work.start(), error="x", now=work.clock.now())
    work.clock.sleep(timedelta(days=8))
    work.put("new")
    work.finish(work.start())
    work.put("undone")
    before = work.clock.now() - timedelta(days=7)
    assert jobs.forget_done(work.session, before=before, limit=1) == 1
    assert jobs.forget_done(work.session, before=before, limit=100) == 1
    assert {row.unique_key for row in work.session.exec(select(JobRow))} == {
        "dead",
        "new",
        "undone",
    }


def test_nothing_happens_without_the_callers_commit(engine: Engine, work: Work) -> None:
    work.put("a")
    work.session.rollback()
    assert work.claim() == []


def test_many_dispatchers_never_claim_the_same_job(engine: Engine, clock: ManualClock) -> None:
    with Session(engine) as session:
        for number in range(300):
            jobs.put(session, "look", {}, unique_key=str(number), due_at=clock.now())
        session.commit()
    claimed: list[int] = []

    def dispatch() -> None:
        with Session(engine) as session:
            while True:
                found = jobs.claim(session, now=clock.now(), lease=LEASE, limit=7)
                session.commit()
                if not found:
                    return
                claimed.extend(job.id for job in found)

    threads = [threading.Thread(target=dispatch) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == len(set(claimed)) == 300
