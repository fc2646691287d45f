"""Run jobs when they are due. Knows jobs and a clock, nothing of the product.

The truth is in the job rows. A dispatcher claims what is due and hands (job id, attempt)
to a queue, whose threads run the handlers. Whatever is lost on the way, with a thread, a
process or a host, comes back when its lease runs out.
"""

import logging
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from datetime import timedelta
from types import TracebackType
from typing import Self

from sqlalchemy import Engine
from sqlmodel import Session

from monitor.core.clock import Clock
from monitor.core.errors import AgainLaterError, PersonNeededError
from monitor.core.patience import pause
from monitor.queues import Queue
from monitor.store import jobs, schedules
from monitor.store.jobs import Job

log = logging.getLogger(__name__)

# May commit in between. What it has not committed when it returns is committed together
# with the job's completion, or not at all if the job was lost to another worker.
Handler = Callable[[Session, Job], None]

BATCH = 64  # jobs held at once
IDLE_S = 0.2  # wall clock: how long new work may go unnoticed
BUSY_S = 0.05  # wall clock: as IDLE_S, while other jobs run
TROUBLE_S = 5.0  # wall clock: pause when database or queue fail


@dataclass(eq=False, repr=False)  # the queue's address may hold a password
class Worker:
    """Claims due jobs and runs them by their kind's handler.

    Safe to run in many threads, processes and hosts on one database. Use it as a context
    manager to keep its threads between several `drain`s.
    """

    engine: Engine
    handlers: Mapping[str, Handler]
    clock: Clock
    _: KW_ONLY
    rng: random.Random
    threads: int = 4
    lease: timedelta = timedelta(minutes=5)
    queue: str = "memory"  # an address, as queues.Queue reads it

    def __post_init__(self) -> None:
        self._queue = Queue(self.queue, self._run, threads=self.threads)
        # What waits in a queue of several hosts is not prolonged, so it must be little.
        self._room = 2 * self.threads if self._queue.is_shared else BATCH
        self._held: set[tuple[int, int]] = set()  # handed to the queue, not known to have ended
        self._running: set[tuple[int, int]] = set()  # here
        self._ran = 0
        self._changed = threading.Condition()
        self._renewed_at = self.clock.now()
        self._users = 0

    def __enter__(self) -> Self:
        self._users += 1
        if self._users == 1:
            self._queue.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._users -= 1
        if self._users == 0:
            self._queue.stop()
            self._hand_back()

    def drain(self) -> int:
        """Run all that is due by the clock, and what becomes due meanwhile; return how many.

        For whoever drives the clock. Jobs that other processes hold are not waited for.
        """
        before = self._ran
        with self:
            while self._tick() or self._held:
                self._wait_for_room()
        return self._ran - before

    def run(self, stop: threading.Event) -> None:
        """Run jobs as they become due, until *stop* is set and the running ones have ended."""
        with self:
            while not stop.is_set():
                try:
                    taken = self._tick()
                except Exception:
                    log.exception("cannot look for work; trying again in %s s", TROUBLE_S)
                    stop.wait(TROUBLE_S)
                    continue
                if len(self._held) >= self._room:
                    self._wait_for_room()
                elif not taken:
                    stop.wait(IDLE_S)

    def _tick(self) -> int:
        """Fire schedules, keep leases alive, claim; return how many jobs were claimed."""
        now = self.clock.now()
        with self._changed:
            held, running = set(self._held), set(self._running)
        with Session(self.engine) as session:
            schedules.fire_due(session, now)
            if now - self._renewed_at >= self.lease / 3:
                alive = running if self._queue.is_shared else held
                jobs.renew(session, alive, now=now, lease=self.lease)
                self._renewed_at = now
            gone = jobs.lost(session, held) - running if self._queue.is_shared else set()
            claimed = jobs.claim(
                session,
                now=now,
                lease=self.lease,
                limit=self._room - len(held - gone),
                kinds=self.handlers.keys(),
            )
            session.commit()
        with self._changed:
            self._held -= gone
        self._hand_over([(job.id, job.attempt) for job in claimed])
        return len(claimed)

    def _hand_over(self, claimed: list[tuple[int, int]]) -> None:
        with self._changed:
            self._held.update(claimed)
        waiting = list(claimed)
        try:
            while waiting:
                self._queue.put(*waiting[0])
                del waiting[0]
        finally:
            if waiting:  # the queue fails: others may have better luck
                self._release(waiting)

    def _hand_back(self) -> None:
        """After stopping: what waited in memory is free for others at once."""
        with self._changed:
            waiting = self._held - self._running
            self._held -= waiting
        if waiting and not self._queue.is_shared:
            self._release(list(waiting))

    def _release(self, waiting: list[tuple[int, int]]) -> None:
        with self._changed:
            self._held.difference_update(waiting)
        with Session(self.engine) as session:
            jobs.release(session, waiting)
            session.commit()

    def _wait_for_room(self) -> None:
        """Wait until half of the held jobs have ended; not long if some take their time."""
        with self._changed:
            goal = len(self._held) // 2
            self._changed.wait_for(lambda: len(self._held) <= goal, BUSY_S)

    def _run(self, job_id: int, attempt: int) -> None:
        """Run one delivered attempt: what the queue's threads do."""
        key = (job_id, attempt)
        try:
            with Session(self.engine) as session:
                job = jobs.begin(session, job_id, attempt, now=self.clock.now(), lease=self.lease)
                session.commit()
            if job is not None:
                with self._changed:
                    self._running.add(key)
                    self._ran += 1
                self._attempt(job)
        finally:
            with self._changed:
                self._held.discard(key)
                self._running.discard(key)
                self._changed.notify_all()

    def _attempt(self, job: Job) -> None:
        try:
            with Session(self.engine) as session:
                self.handlers[job.kind](session, job)
                if jobs.finish(session, job, now=self.clock.now()):
                    session.commit()
                else:
                    session.rollback()
                    log.warning("job %s (%s) went to another worker meanwhile", job.id, job.kind)
        except AgainLaterError as error:
            self._fail(job, str(error), not_before=error.retry_after)
        except PersonNeededError as error:
            self._fail(job, str(error), is_final=True)
        except Exception as error:
            log.exception("job %s (%s) failed, attempt %s", job.id, job.kind, job.attempt)
            self._fail(job, f"{type(error).__name__}: {error}")

    def _fail(
        self,
        job: Job,
        error: str,
        *,
        not_before: timedelta | None = None,
        is_final: bool = False,
    ) -> None:
        now = self.clock.now()
        with Session(self.engine) as session:
            if is_final or job.is_last_attempt:
                log.error("job %s (%s) is given up: %s", job.id, job.kind, error)
                jobs.bury(session, job, error=error, now=now)
            else:
                wait = max(pause(job.attempt, self.rng), not_before or timedelta())
                jobs.retry(session, job, error=error, due_at=now + wait)
            session.commit()
