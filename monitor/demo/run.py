"""Run the demo from start to end, and say whether its story came out right."""

import time
from datetime import timedelta

from sqlalchemy import func
from sqlmodel import Session, select

from monitor.core.incidents import State
from monitor.demo.drive import drive
from monitor.demo.report import Report, events_after, report
from monitor.demo.show import Show, first_of_each
from monitor.demo.stage import START, Stage
from monitor.demo.story import PROVIDER
from monitor.store import incidents
from monitor.store.placed import placed
from monitor.store.tables import HandoverRow, SightingRow

HEALTHY = timedelta(hours=6)  # then the first table is shown
SHOWN_EVERY = timedelta(minutes=30)
LENGTH = timedelta(hours=44)  # of lab time, if the story takes so long


def perform(stage: Stage, show: Show) -> Report:
    """Play the story: healthy, MO255463 and one sender's own trouble, recovery."""
    performance = _Performance(stage, show)
    worker = stage.house.worker()
    with worker:
        drive(stage, worker, until=LENGTH, on_step=performance.step)
    found = report(stage)
    show.table(
        "The placement table, all tests, as copies stand now:", found.providers, stage.house.facts
    )
    for alert in first_of_each(found):
        show.alert(alert)
    show.say("Did the story come out right?")
    show.verdict(found)
    return found


class _Performance:
    """What has been shown so far."""

    def __init__(self, stage: Stage, show: Show) -> None:
        self.stage = stage
        self.show = show
        self.newest_event = 0
        self.last_shown = timedelta()
        self.has_shown_health = False

    def step(self, elapsed: timedelta) -> bool:
        """Show what one jump brought; True once the provider's incident is closed."""
        with Session(self.stage.house.engine) as session:
            self._progress(session, elapsed)
            events = events_after(session, self.newest_event)
            for self.newest_event, at, state, sentence in events:
                self.show.event(at, state, sentence)
            return bool(events) and _is_over(session)

    def _progress(self, session: Session, elapsed: timedelta) -> None:
        if not self.has_shown_health and elapsed >= HEALTHY:
            self.has_shown_health = True
            rows = placed(session, since=START, until=self.stage.clock.now())
            self.show.table("A healthy start:", rows, self.stage.house.facts)
        if elapsed - self.last_shown < SHOWN_EVERY:
            return
        self.last_shown = elapsed
        copies = session.exec(select(func.count()).select_from(HandoverRow)).one()
        looks = session.exec(select(func.count()).select_from(SightingRow)).one()
        self.show.progress(elapsed, LENGTH, copies, looks)


def _is_over(session: Session) -> bool:
    """Is the provider's incident closed? The alerts of that have been sent by then."""
    return any(
        i.latest.provider == PROVIDER and i.state is State.CLOSED
        for i in incidents.all_incidents(session)
    )


def stopwatch() -> float:
    """Seconds of the wall clock: the demo's own length is not lab time."""
    return time.monotonic()
