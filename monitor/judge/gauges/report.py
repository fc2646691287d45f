"""Turns a case about a gauge into the event that the world is told, with its table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from monitor.core.incidents import Evidence, IncidentEvent, Reading
from monitor.judge.ends import lasted_until
from monitor.judge.gauges.kinds import KINDS
from monitor.judge.gauges.recent import Row
from monitor.judge.gauges.told import GaugeCase
from monitor.judge.gauges.words import GaugeFacts, sentence
from monitor.judge.hours import moment
from monitor.judge.tally import MOST_ROWS

Sheets = Mapping[str, Sequence[Row]]  # rows by provider; under "" those of all providers


@dataclass(frozen=True, slots=True)
class GaugeReporter:
    """Writes events; *names* are those of providers, for people."""

    names: Mapping[str, str]

    def event(self, told: GaugeCase, sheets: Sheets, reason: str, now: float) -> IncidentEvent:
        case, claim = told.case, told.claim
        case.told, case.said = len(case.hit), now
        case.sure = case.posterior.get(case.cause, 0.0)
        readings = self.readings(told, sheets)
        until = lasted_until(case.healed, reason)
        hit = set(case.hit)
        spared = [r.name for r in readings if not (r.is_control or r.name in hit)]
        return IncidentEvent(
            at=moment(now),
            incident=case.id,
            state=case.state,
            cause=case.cause,
            start=moment(case.start.first),
            start_low=moment(case.start.low),
            start_high=moment(case.start.high),
            posterior=dict(case.posterior),
            sentence=sentence(self.facts(told, readings, until)),
            reason=reason,
            provider=claim.provider,
            sender=claim.sender,
            esp=claim.esp,
            hit=tuple(case.hit),
            spared=tuple(spared),
            tests=tuple(case.tests),
            evidence=Evidence(readings=readings),
            gauge=told.gauge,
            until=until,
        )

    def facts(
        self, told: GaugeCase, readings: Sequence[Reading], until: datetime | None = None
    ) -> GaugeFacts:
        case = told.case
        senders = {r.name for r in readings if not r.is_control}
        hit = [r for r in readings if r.is_hit] or [Reading("", told.gauge, 0, 0.0, 0.0)]
        least = KINDS[told.gauge].least / 2
        return GaugeFacts(
            gauge=told.gauge,
            claim=case.claim,
            state=case.state,
            since=moment(case.start.first),
            until=until,
            hit=len(case.hit),
            asked=len(senders | set(case.hit)),
            usual=median(r.usual for r in hit),
            now=median(r.now for r in hit),
            normal=[r.name for r in readings if r.is_control and _excess(r) < least],
            names=self.names,
        )

    def readings(self, told: GaugeCase, sheets: Sheets) -> tuple[Reading, ...]:
        """Who is hit and who is spared, while it lasts or lasted; and the same mail elsewhere."""
        place, hit = told.place, set(told.case.hit)
        during = [
            row
            for row in sheets.get(place, ())
            if told.concerns(place, row.sender, row.esps) and _is_during(told, row)
        ]
        groups: dict[str, list[Row]] = {sender: [] for sender in told.case.hit}
        for row in during:
            groups.setdefault(row.sender, []).append(row)
        rows = [_reading(s, told.gauge, g, is_hit=s in hit) for s, g in groups.items() if g]
        tests = {row.test for row in during if row.sender in hit}
        controls = [
            _reading(provider, told.gauge, group, is_control=True)
            for provider, others in sheets.items()
            if place and provider not in {place, ""}
            if KINDS[told.gauge].is_delay and (group := [r for r in others if r.test in tests])
        ]
        return (*rows[:MOST_ROWS], *controls[:MOST_ROWS])


def _is_during(told: GaugeCase, row: Row) -> bool:
    until = told.case.healed
    return told.case.start.first <= row.sent and (until is None or row.sent < until)


def _excess(reading: Reading) -> float:
    gauge = KINDS[reading.gauge]
    return gauge.scaled(reading.now) - gauge.scaled(reading.usual)


def _reading(
    name: str, gauge: str, rows: Sequence[Row], *, is_hit: bool = False, is_control: bool = False
) -> Reading:
    value = KINDS[gauge].value
    return Reading(
        name,
        gauge,
        len(rows),
        usual=round(value(median(row.usual for row in rows)), 4),
        now=round(value(median(row.value for row in rows)), 4),
        is_hit=is_hit,
        is_control=is_control,
    )


@dataclass(frozen=True, slots=True)
class Risen:
    """What an incident of lost mail may say of the scores that rose there before."""

    sentence: str
    readings: tuple[Reading, ...]
