"""The lease machine against a model: any order of claims, deaths, repeats and endings.

The model says who holds what; the rows must agree at every step. So two never hold a job
with a valid number, and nothing that was asked for is lost.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule
from sqlmodel import Session, SQLModel

from monitor.core.clock import ManualClock
from monitor.store import jobs
from monitor.store.engine import open_engine
from monitor.store.jobs import Job

LEASE = timedelta(seconds=100)
MAX_ATTEMPTS = 2
IDS = count(1)


@dataclass
class Model:
    """What must be true of one undone job."""

    due_at: datetime
    attempt: int = 0
    begun: int = 0
    max_attempts: int = MAX_ATTEMPTS
    lease_until: datetime | None = None
    again_at: datetime | None = None
    order: int = field(default_factory=lambda: next(IDS))
    job_id: int = 0  # known once it was claimed

    @property
    def is_running(self) -> bool:
        return self.lease_until is not None and self.begun == self.attempt

    def is_free(self, now: datetime) -> bool:
        return self.due_at <= now and (self.lease_until is None or self.lease_until <= now)


class LeaseMachine(RuleBasedStateMachine):
    """Workers that hold jobs, lose them, and go on as if they had not."""

    holders = Bundle("holders")

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock(datetime(2026, 3, 2, 8, tzinfo=UTC))
        self.engine = open_engine("sqlite://")
        SQLModel.metadata.create_all(self.engine)
        self.session = Session(self.engine)
        self.undone: dict[str, Model] = {}
        self.dead = 0

    def teardown(self) -> None:
        """All workers die; a new one does what is left, and then there is nothing left."""
        for _ in range(20):
            self.clock.sleep(timedelta(days=1))
            for job in self.claim(2):
                self.begin([job])
                self.finish([job])
        self.rows_agree_with_the_model()
        assert self.undone == {}
        self.session.close()
        self.engine.dispose()

    @rule(key=st.sampled_from("abc"), delay_s=st.integers(0, 150))
    def put(self, key: str, delay_s: int) -> None:
        due_at = self.clock.now() + timedelta(seconds=delay_s)
        model = self.undone.get(key)
        will_run = jobs.put(
            self.session, "x", {}, unique_key=key, due_at=due_at, max_attempts=MAX_ATTEMPTS
        )
        assert will_run == (model is None or model.is_running)
        if model is None:
            self.undone[key] = Model(due_at)
        elif model.is_running:
            model.again_at = min(model.again_at or due_at, due_at)
        elif model.attempt == 0:
            model.due_at = min(model.due_at, due_at)

    @rule(seconds=st.sampled_from([1, 60, 100]))
    def pass_time(self, seconds: int) -> None:
        self.clock.sleep(timedelta(seconds=seconds))

    @rule(target=holders, limit=st.integers(1, 3))
    def claim(self, limit: int) -> list[Job]:
        now = self.clock.now()
        free = [key for key, model in self.undone.items() if model.is_free(now)]
        free.sort(key=lambda key: (self.undone[key].due_at, self.undone[key].order))
        expected = []
        for key in free[:limit]:
            model = self.undone[key]
            if model.attempt == model.max_attempts:
                self._end(key, is_dead=True)
            else:
                model.attempt, model.lease_until = model.attempt + 1, now + LEASE
                expected.append((key, model.attempt))
        claimed = jobs.claim(self.session, now=now, lease=LEASE, limit=limit)
        assert [(job.unique_key, job.attempt) for job in claimed] == expected
        for job in claimed:
            self.undone[job.unique_key].job_id = job.id
        return claimed

    @rule(target=holders, limit=st.integers(1, 3))
    def start(self, limit: int) -> list[Job]:
        held = self.claim(limit)
        self.begin(held)
        return held

    @rule(held=holders)
    def begin(self, held: list[Job]) -> None:
        for job in held:
            model, now = self._held(job), self.clock.now()
            begun = jobs.begin(self.session, job.id, job.attempt, now=now, lease=LEASE)
            assert (begun == job) == (model is not None and model.begun < job.attempt)
            if begun is not None and model is not None:
                model.begun, model.lease_until = job.attempt, now + LEASE

    @rule(held=holders)
    def finish(self, held: list[Job]) -> None:
        for job in held:
            is_ours = self._is_running(job)
            assert jobs.finish(self.session, job, now=self.clock.now()) == is_ours
            if is_ours:
                self._end(job.unique_key)

    @rule(held=holders)
    def bury(self, held: list[Job]) -> None:
        for job in held:
            is_ours = self._is_running(job)
            assert jobs.bury(self.session, job, error="x", now=self.clock.now()) == is_ours
            if is_ours:
                self._end(job.unique_key, is_dead=True)

    @rule(held=holders, delay_s=st.integers(0, 150))
    def retry(self, held: list[Job], delay_s: int) -> None:
        due_at = self.clock.now() + timedelta(seconds=delay_s)
        for job in held:
            model = self._held(job)
            retried = jobs.retry(self.session, job, error="x", due_at=due_at)
            assert retried == (model is not None)
            if model is not None:
                model.due_at, model.lease_until = due_at, None

    @rule(held=holders)
    def renew(self, held: list[Job]) -> None:
        pairs = [(job.id, job.attempt) for job in held]
        jobs.renew(self.session, pairs, now=self.clock.now(), lease=LEASE)
        for model in map(self._held, held):
            if model is not None:
                model.lease_until = self.clock.now() + LEASE

    @rule(held=holders)
    def release(self, held: list[Job]) -> None:
        jobs.release(self.session, [(job.id, job.attempt) for job in held])
        for job in held:
            model = self._held(job)
            if model is not None and model.begun < job.attempt:
                model.lease_until, model.max_attempts = None, model.max_attempts + 1

    @rule(held=holders)
    def lost(self, held: list[Job]) -> None:
        pairs = {(job.id, job.attempt) for job in held}
        gone = {(job.id, job.attempt) for job in held if self._held(job) is None}
        assert jobs.lost(self.session, pairs) == gone

    @invariant()
    def rows_agree_with_the_model(self) -> None:
        now, models = self.clock.now(), self.undone.values()
        leases = [m.lease_until for m in models if m.lease_until is not None]
        assert jobs.counts(self.session, now=now) == jobs.Counts(
            due=len(models),
            late=sum(m.is_free(now) for m in models),
            leased=sum(lease > now for lease in leases),
            dead=self.dead,
        )
        soonest = min((m.lease_until or m.due_at for m in models), default=None)
        assert jobs.next_due(self.session) == soonest

    def _end(self, key: str, *, is_dead: bool = False) -> None:
        self.dead += is_dead
        again_at = self.undone.pop(key).again_at
        if again_at is not None:
            self.undone[key] = Model(again_at)

    def _held(self, job: Job) -> Model | None:
        """The model of *job*, if this attempt holds it."""
        model = self.undone.get(job.unique_key)
        if model is None or model.lease_until is None:
            return None
        return model if (model.job_id, model.attempt) == (job.id, job.attempt) else None

    def _is_running(self, job: Job) -> bool:
        model = self._held(job)
        return model is not None and model.is_running


TestLeaseMachine = LeaseMachine.TestCase
TestLeaseMachine.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
