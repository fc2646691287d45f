"""Watches the gauges: takes readings in, lets them be asked, and remembers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from monitor.core.incidents import Cause, IncidentEvent
from monitor.core.observations import Observation
from monitor.judge.cases import Case
from monitor.judge.docket import RETAINED_H
from monitor.judge.gauges.kinds import DELAY, KINDS, read
from monitor.judge.gauges.recent import Campaign, Recent
from monitor.judge.gauges.report import GaugeReporter, Risen
from monitor.judge.gauges.rounds import Round
from monitor.judge.gauges.told import GaugeCase
from monitor.judge.gauges.usual import Place, Usual
from monitor.judge.gauges.words import had_risen
from monitor.judge.hours import hours
from monitor.judge.lines import Lines

ASKED_H = 1.0  # between two rounds of questions
LEAST_LEARNT = 0.08  # of what an incident explains: a true change of level is learnt in weeks


@dataclass(slots=True)
class Gauges:
    """All that is known of delays and scores. It stays empty if no observation has any."""

    usual: Usual = field(default_factory=Usual)
    recent: Recent = field(default_factory=Recent)
    cases: dict[str, GaugeCase] = field(default_factory=dict)
    asked: float = 0.0

    @property
    def is_used(self) -> bool:
        return bool(self.recent.campaigns or self.usual.levels)

    @property
    def drifting(self) -> dict[str, GaugeCase]:
        """By provider: the open suspicion that its filter thinks worse of mail than usual."""
        found = (c for c in self.cases.values() if c.gauge != DELAY and c.case.is_open)
        return {one.place: one for one in found}

    def risen(self, provider: str, names: Mapping[str, str]) -> Risen | None:
        """What is to be said of scores that have risen at *provider*, if they have."""
        known = self.drifting.get(provider)
        if known is None:
            return None
        reporter = GaugeReporter(names)
        readings = reporter.readings(known, self.recent.by_provider(known.gauge))
        return Risen(had_risen(reporter.facts(known, readings)), readings)

    @property
    def late(self) -> list[Case]:
        """Incidents of late mail that were confirmed: what is missing may be on its way."""
        return [
            known.case
            for known in self.cases.values()
            if known.gauge == DELAY
            and known.claim.cause in {Cause.PROVIDER, Cause.ESP}
            and known.was_confirmed
        ]

    def take(self, observation: Observation, now: float) -> None:
        """Take in the readings of *observation*, if it has any."""
        found = read(observation) if observation.gauges else {}
        if found:
            self.recent.take(observation, found, hours(observation.at), self.usual)
        for campaign in self.recent.leave(now):
            for gauge, shown in campaign.shown.items():
                for provider, one in shown.items():
                    self._learn((gauge, provider), campaign, one.value)

    def _learn(self, place: Place, campaign: Campaign, value: float) -> None:
        gauge, provider = place
        explained = any(
            known.gauge == gauge
            and known.concerns(provider, campaign.sender, campaign.esps)
            and known.accounts_for(campaign.sent)
            for known in self.cases.values()
        )
        weight = LEAST_LEARNT if explained else 1.0
        self.usual.learn(place, campaign.sender, campaign.sent, value, weight=weight)

    def is_due(self, now: float) -> bool:
        """Is it time for a round of questions, and is there anything to ask about?"""
        return now - self.asked >= ASKED_H and bool(self.recent.campaigns or self.cases)

    def ask(
        self, now: float, lines: Lines, names: Mapping[str, str], *, opens: bool
    ) -> list[IncidentEvent]:
        """Ask once an hour whether anything shows more than usual, and whether it still does.

        Args:
            lines: of the share of false alarms that is left to the gauges.
            opens: false for history, from which only the usual unrest is learnt.
        """
        if not self.is_due(now):
            return []
        self.asked = now
        events = []
        for gauge in KINDS:
            sheets = self.recent.by_provider(gauge)
            if gauge == DELAY and len(sheets) > 1:
                sheets[""] = self.recent.everywhere(gauge)
            reporter = GaugeReporter(names)
            asked = Round(self.usual, self.cases, gauge, sheets, lines, reporter, now, opens)
            events += asked.events()
        self._forget(now)
        return events

    def _forget(self, now: float) -> None:
        """Drop cases that were closed so long ago that they explain nothing any more."""
        closed = {name: known.case.closed for name, known in self.cases.items()}
        for name, at in closed.items():
            if at is not None and now - at > RETAINED_H:
                del self.cases[name]

    def snapshot(self) -> dict[str, Any]:
        return {
            "usual": self.usual.snapshot(),
            "recent": self.recent.snapshot(),
            "cases": [case.snapshot() for case in self.cases.values()],
            "asked": self.asked,
        }

    @classmethod
    def restore(cls, body: dict[str, Any]) -> "Gauges":
        cases = [GaugeCase.restore(row) for row in body["cases"]]
        known = {one.case.id: one for one in cases}
        return cls(
            Usual.restore(body["usual"]), Recent.restore(body["recent"]), known, body["asked"]
        )
