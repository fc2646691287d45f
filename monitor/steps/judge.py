"""Judge: feed what was observed to the judge, and write down what it says."""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import update
from sqlmodel import Session, col

from monitor.core.clock import Clock
from monitor.core.errors import AgainLaterError
from monitor.core.incidents import TOLD, IncidentEvent
from monitor.core.observations import Admitted, Observation, TimePassed
from monitor.judge.judge import Judge
from monitor.store import advisories, incidents, jobs, observations
from monitor.store.columns import saved
from monitor.store.verdict_tables import JudgeStateRow

log = logging.getLogger(__name__)

SCOPE = "all"
SNAPSHOT_EVERY = 500  # observations; a restart replays at most so many

# snapshot -> a judge that goes on from it; None: a new one
MakeJudge = Callable[[Mapping[str, Any] | None], Judge]


@dataclass(slots=True)
class Bench:
    """The one judge of this process, kept between calls; the rows are the truth."""

    make: MakeJudge
    lock: threading.Lock = field(default_factory=threading.Lock)
    judge: Judge | None = None
    judged_id: int = -1

    def sit(self, session: Session, state: JudgeStateRow) -> Judge:
        """Return the judge as it stood after observation `state.judged_id`.

        Its state is the snapshot and the replay of what came after; events of the replay
        are written already, and are dropped.
        """
        if self.judge is None or self.judged_id != state.judged_id:
            self.judge, known = self._restore(state)
            for _, told in observations.after(session, known, until=state.judged_id):
                hear(self.judge, told)
            self.judged_id = state.judged_id
        return self.judge

    def _restore(self, state: JudgeStateRow) -> tuple[Judge, int]:
        """Return a judge, and up to which observation it knows them all.

        A snapshot that this version of the judge cannot read is no loss: the observations
        are all there.
        """
        if not state.body:
            return self.make(None), 0
        try:
            return self.make(state.body), state.observation_id
        except ValueError as error:
            log.warning("the judge's snapshot cannot be read (%s); replaying everything", error)
            return self.make(None), 0


def hear(sitting: Judge, told: Observation | TimePassed | Admitted) -> list[IncidentEvent]:
    """Tell a judge one thing that a row holds; return what it says."""
    if isinstance(told, TimePassed):
        return sitting.tick(told.at)
    return sitting.hear(told) if isinstance(told, Admitted) else sitting.observe(told)


def judge(session: Session, bench: Bench, clock: Clock) -> list[IncidentEvent]:
    """Judge every observation that has not been judged; commits; returns the new events.

    Raises:
        AgainLaterError: another process judged at the same time.
    """
    with bench.lock:
        state = _state(session, clock)
        events: list[IncidentEvent] = []
        sitting = bench.sit(session, state)
        bench.judged_id = -1  # until our own commit is certain, this judge is not to be reused
        newest = state.judged_id
        for newest, told in observations.after(session, state.judged_id):  # noqa: B007
            events.extend(hear(sitting, told))
        _write(session, events, clock)
        _advance(session, state, newest, sitting, clock)
        session.commit()
        bench.judged_id = newest
        return events


def _state(session: Session, clock: Clock) -> JudgeStateRow:
    state = session.get(JudgeStateRow, SCOPE)
    if state is None:
        state = JudgeStateRow(scope=SCOPE, saved_at=clock.now())
        session.add(state)
        session.commit()
    return state


def _write(session: Session, events: list[IncidentEvent], clock: Clock) -> None:
    """Write every event. People are told how a turn leaves an incident, not each step to it."""
    told = {}
    for event in events:
        row = incidents.append(session, event)
        if event.state in TOLD:
            told[event.incident] = row
    if told and advisories.is_any_known(session):  # before anybody is warned
        newest = max(saved(row.id) for row in told.values())
        jobs.put(session, "match", {}, unique_key=f"match:event:{newest}", due_at=clock.now())
    for row in told.values():
        jobs.put(
            session, "warn", {"event": row.id}, unique_key=f"warn:{row.id}", due_at=clock.now()
        )


def _advance(
    session: Session, state: JudgeStateRow, newest: int, sitting: Judge, clock: Clock
) -> None:
    values: dict[str, Any] = {"judged_id": newest}
    if newest - state.observation_id >= SNAPSHOT_EVERY:
        values |= {
            "observation_id": newest,
            "body": sitting.snapshot(),
            "saved_at": clock.now(),
        }
    done = session.execute(
        update(JudgeStateRow)
        .where(col(JudgeStateRow.scope) == SCOPE, col(JudgeStateRow.judged_id) == state.judged_id)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    if done.rowcount != 1:  # type: ignore[attr-defined]
        raise AgainLaterError("another process is judging; this one will look again.")
