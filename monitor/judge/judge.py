"""The judge: observations in, incident events out. Pure: no clock, no rows, no network."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self

from monitor.core.incidents import IncidentEvent
from monitor.core.observations import Admitted, Observation
from monitor.judge import seed_cases
from monitor.judge.admissions import Admissions, admitted
from monitor.judge.clusters import Cluster
from monitor.judge.docket import Docket
from monitor.judge.gauges.kinds import DELAY
from monitor.judge.gauges.report import Risen
from monitor.judge.gauges.watch import Gauges
from monitor.judge.hours import hours
from monitor.judge.inquiry import Inquiry
from monitor.judge.intake import Intake
from monitor.judge.lines import Lines
from monitor.judge.memory import WINDOW_H
from monitor.judge.reports import Reporter

VERSION = 5  # of the snapshot
GAUGES_SHARE = 0.1  # of the false alarms, where delays or scores are known at all


class Judge:
    """Says whose fault it is when mail does not arrive.

    Give it observations in order of time; one that comes late is still taken in, if it
    is less than a week late. The same observations always give the same events.

    Args:
        false_alarms_per_year: wrong confirmed incidents against providers that are
            bearable in this deployment, all providers together; above 0.
        names: provider ids to the names that sentences use.
    """

    def __init__(
        self, *, false_alarms_per_year: float = 2.0, names: Mapping[str, str] | None = None
    ) -> None:
        if not false_alarms_per_year > 0:
            raise ValueError("false_alarms_per_year must be above 0")
        self._false_alarms_per_year = false_alarms_per_year
        self._names = dict(names or {})
        self._intake = Intake()
        self._docket = Docket()
        self._gauges = Gauges()
        self._admissions = Admissions()
        self._now = 0.0

    def observe(self, observation: Observation, *, asks: bool = True) -> list[IncidentEvent]:
        """Take in one observation; return what it changes.

        An observation whose id has been seen changes nothing.

        Args:
            asks: false for history that is only to be learnt from; broken seeds are told all
                the same, because they are left out of what is learnt.
        """
        at = hours(observation.at)
        if self._now - at > WINDOW_H or not self._intake.seen.is_new(observation.id, at):
            return []
        is_new_day = at // 24 > self._now // 24
        self._now = max(self._now, at)
        news = self._intake.take(observation, self._explain_test, is_history=not asks)
        self._gauges.take(observation, self._now)
        gauged = self._ask_gauges(opens=asks)
        reporter = self._reporter()
        events = seed_cases.follow(news, self._intake.health, self._docket, reporter, self._now)
        events += gauged
        if asks:
            inquiry = self._inquiry(reporter)
            events += self._settle_late(gauged, inquiry) + inquiry.follow(news)
        self._forget(is_new_day=is_new_day)
        return events

    def _explain_test(self, cluster: Cluster) -> None:
        """Tell all clusters of one test, one of which has changed, what explains them."""
        memory = self._intake.memory
        self._docket.explain(memory, memory.trials[cluster.test].clusters.values())

    def tick(self, now: datetime) -> list[IncidentEvent]:
        """Let time pass without an observation: quiet may end incidents."""
        self._now = max(self._now, hours(now))
        events = self._ask_gauges(opens=True)
        inquiry = self._inquiry(self._reporter())
        events += self._settle_late(events, inquiry) + inquiry.settle()
        self._forget(is_new_day=False)
        return events

    def hear(self, told: Admitted) -> list[IncidentEvent]:
        """Let a provider admit trouble; while that stands, less evidence against it is enough.

        What was below the line before may be past it now, so that all of it is asked anew.
        """
        self._now = max(self._now, hours(told.at))
        self._admissions.hear(told.provider, told.advisory, hours(told.until), self._now)
        events = self.tick(told.at)
        if self._admissions.of(told.provider, self._now):
            events += self._inquiry(self._reporter()).ask_anew(told.provider)
        return events

    def _ask_gauges(self, *, opens: bool) -> list[IncidentEvent]:
        if not self._gauges.is_due(self._now):
            return []
        rate = self._false_alarms_per_year * GAUGES_SHARE
        lines = Lines(rate, self._intake.baseline.providers)
        return self._gauges.ask(self._now, lines, self._names, opens=opens)

    def _settle_late(self, said: list[IncidentEvent], inquiry: Inquiry) -> list[IncidentEvent]:
        """Let late mail account for what is missing, once something new was *said* of it."""
        if not any(event.gauge == DELAY for event in said):
            return []
        self._docket.late = self._gauges.late
        self._docket.explain(self._intake.memory, self._intake.memory)
        return [
            event for case in self._docket.late if case.is_open for event in inquiry.absorb(case)
        ]

    def _reporter(self) -> Reporter:
        def risen(provider: str) -> Risen | None:
            return self._gauges.risen(provider, self._names)

        def admits(provider: str) -> str:
            name = self._names.get(provider, provider)
            return admitted(name, self._admissions.of(provider, self._now))

        return Reporter(self._intake.memory, self._names, risen, self._gauges.late, admits)

    def _inquiry(self, reporter: Reporter) -> Inquiry:
        rate = self._false_alarms_per_year * (1 - GAUGES_SHARE * self._gauges.is_used)
        forewarned = frozenset(self._gauges.drifting) | self._admissions.providers(self._now)
        lines = Lines(rate, self._intake.baseline.providers, forewarned)
        return Inquiry(self._intake.memory, self._docket, lines, reporter, self._now)

    def _forget(self, *, is_new_day: bool) -> None:
        self._intake.forget(self._now)
        self._docket.forget(self._now)
        if is_new_day:
            self._intake.forget_silent(self._now)
            self._gauges.usual.forget(self._now)

    def snapshot(self) -> dict[str, Any]:
        """Return the whole state as what JSON can hold, exactly."""
        whole: dict[str, Any] = {
            "version": VERSION,
            "now": self._now,
            "intake": self._intake.snapshot(),
            "docket": self._docket.snapshot(),
            "gauges": self._gauges.snapshot(),
        }
        # Where nobody admits anything, a snapshot is what it was before this was known.
        standing = self._admissions.snapshot()
        return whole | ({"admissions": standing} if standing else {})

    @classmethod
    def restore(
        cls,
        snapshot: Mapping[str, Any],
        *,
        false_alarms_per_year: float = 2.0,
        names: Mapping[str, str] | None = None,
    ) -> Self:
        """Return a judge that goes on exactly where the one of *snapshot* was.

        Raises:
            ValueError: the snapshot is of another version; replay the observations.
        """
        if snapshot.get("version") != VERSION:
            raise ValueError(f"cannot read a snapshot of version {snapshot.get('version')!r}")
        judge = cls(false_alarms_per_year=false_alarms_per_year, names=names)
        judge._now = float(snapshot["now"])
        judge._intake = Intake.restore(snapshot["intake"])
        judge._docket = Docket.restore(snapshot["docket"])
        judge._gauges = Gauges.restore(snapshot["gauges"])
        judge._admissions = Admissions.restore(snapshot.get("admissions", ()))
        judge._docket.late = judge._gauges.late
        judge._docket.explain(judge._intake.memory, judge._intake.memory)
        return judge
