"""One round of questions about one gauge: what is unusual, and what becomes of it.

A delay may become an incident like any other. Scores that rise are only ever suspected: they
tell that a filter thinks worse of mail that it still delivers, which may come to nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from monitor.core.incidents import GOING_ON, Cause, IncidentEvent, State
from monitor.judge.cases import MOST_TESTS, WIDER_H, Case
from monitor.judge.claims import Claim
from monitor.judge.docket import DROPPED_H, enter, new_name
from monitor.judge.gauges import everywhere, told
from monitor.judge.gauges.kinds import DELAY, KINDS
from monitor.judge.gauges.recent import Row
from monitor.judge.gauges.report import GaugeReporter, Sheets
from monitor.judge.gauges.score import SPANS_H, Chance, Shift, shift
from monitor.judge.gauges.told import GaugeCase
from monitor.judge.gauges.usual import Usual
from monitor.judge.likelihood import probability
from monitor.judge.lines import Line, Lines
from monitor.judge.turns import NO_TURN

HALF_RIPE = 0.5  # of the time after which is asked: from then on, unrest is learnt
MOST_SURE = 5.0  # nats: nothing is so certain that it could not be something else
NO_EVIDENCE = -1e9  # nats; JSON knows no infinity
FEWEST_PLACES = 2  # providers, before "everywhere" means something
SERVICE_EXTRA = 0.5  # nats beyond the line of a provider: any of several services may be meant


@dataclass(frozen=True, slots=True)
class Found:
    """A claim with the readings it is made of."""

    claim: Claim
    shift: Shift
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Round:
    """One round of questions about one gauge."""

    usual: Usual
    cases: dict[str, GaugeCase]
    gauge: str
    sheets: Sheets
    lines: Lines
    reporter: GaugeReporter
    now: float
    opens: bool

    def events(self) -> list[IncidentEvent]:
        events = []
        found = [*self._providers(), *self._common()]
        for case in self._open_cases():
            events += self._review(case, found)
        if self.opens:
            for one in found:
                events += self._open(one)
        return events

    def _open_cases(self) -> list[GaugeCase]:
        known = self.cases.values()
        return [c for c in known if c.gauge == self.gauge and c.case.is_open]

    # ---- what there is

    def _providers(self) -> list[Found]:
        found = []
        usual = self.usual
        for provider in self.sheets:
            if provider and usual.is_ripe(self.gauge, provider, self.now, HALF_RIPE):
                claim = Claim(Cause.PROVIDER, provider)
                rows = self._unexplained(provider, claim)
                weighed = self._weigh(rows, provider, is_all=True)
                if usual.is_ripe(self.gauge, provider, self.now):
                    found.append(Found(claim, weighed, rows))
        return found

    def _common(self) -> list[Found]:
        """What is late everywhere: of services and all mail the best claim; and each sender."""
        ripe = [p for p in self.sheets if self.usual.is_ripe(self.gauge, p, self.now)]
        rows = self.sheets.get("", ())
        if len(ripe) < FEWEST_PLACES or not rows:
            return []
        self._weigh(rows, "", is_all=True)  # for what it teaches
        least = KINDS[self.gauge].least
        found: dict[Claim, Found] = {}
        for span in SPANS_H:
            recent = [row for row in rows if self.now - row.at <= span]
            for claim, about in (
                *everywhere.claims(recent, least),
                *everywhere.lone(recent, least),
            ):
                one = self._judged(claim, about)
                if claim not in found or one.shift.score > found[claim].shift.score:
                    found[claim] = one
        shared = [f for f in found.values() if f.claim.sender is None]
        best = max(shared, key=lambda f: f.shift.score, default=None)
        return [f for f in found.values() if f.claim.sender is not None or f is best]

    def _judged(self, claim: Claim, rows: Sequence[Row]) -> Found:
        kept = [r for r in rows if not self._is_explained(r, "", claim)]
        return Found(claim, self._weigh(kept, "", by_test=claim.sender is not None), kept)

    def _unexplained(self, provider: str, claim: Claim) -> list[Row]:
        return [r for r in self.sheets[provider] if not self._is_explained(r, provider, claim)]

    def _is_explained(self, row: Row, place: str, claim: Claim) -> bool:
        """Is it known already why *row* shows what it does, by another case than *claim*'s?

        Readings at one provider are compared with those elsewhere; so what is late
        everywhere is no matter there.
        """
        return any(
            case.gauge == self.gauge
            and case.place == place
            and not (case.claim == claim and case.case.is_open)
            and case.concerns(place, row.sender, row.esps)
            and case.accounts_for(row.sent)
            for case in self.cases.values()
        )

    def _weigh(
        self, rows: Sequence[Row], place: str, *, is_all: bool = False, by_test: bool = False
    ) -> Shift:
        """The shift of the span that says most. All mail of a place teaches its unrest."""
        usual, key = self.usual, (self.gauge, place)
        variance = usual.variance(*key)
        best = Shift(SPANS_H[0], score=NO_EVIDENCE)
        for span in SPANS_H:
            chance = Chance(variance, usual.wobble(key, span))
            found = shift(rows, self.now, span, chance, by_test=by_test)
            if is_all and found.is_enough and not self._in_trouble(place):
                usual.rest(key, span, found.mean**2 - found.chance, self.now)
            if found.mean >= KINDS[self.gauge].least and found.score > best.score:
                best = found
        return best

    def _in_trouble(self, place: str) -> bool:
        return any(case.place == place for case in self._open_cases())

    def _line(self, claim: Claim) -> Line:
        """Delays of a provider's or a service's mail may be told; all else is but suspected.

        Scores may come to nothing; and one sender's delays, or those of all mail, may be the
        doing of whoever sends it.
        """
        is_told = self.gauge == DELAY and claim.cause in {Cause.PROVIDER, Cause.ESP}
        line = self.lines.of(claim if claim.cause is Cause.PROVIDER else Claim(Cause.PROVIDER))
        if not is_told:
            return replace(line, confirm=math.inf)
        extra = SERVICE_EXTRA if claim.cause is Cause.ESP else 0.0
        return Line(line.suspect + extra, line.confirm + extra)

    # ---- cases

    def _review(self, known: GaugeCase, found: Sequence[Found]) -> list[IncidentEvent]:
        case = known.case
        now = next((f for f in found if f.claim == case.claim), None)
        score = NO_EVIDENCE if now is None else now.shift.score
        # What was confirmed is ended by later mail, not by the passing of the hours.
        case.score = score if case.state is State.SUSPECTED else max(score, case.score)
        self._weigh_causes(case)
        rows = [
            row
            for row in self.sheets.get(known.place, ())
            if known.concerns(known.place, row.sender, row.esps)
        ]
        case.heard = max([case.heard, *(row.sent for row in rows)])
        ending, relapsing = known.turns(rows)
        step = case.step(self._line(case.claim), ending, relapsing, self.now)
        if now is not None and case.state in GOING_ON:
            self._name_victims(known, now)
        if step is not None:
            # A suspicion that is dropped has not healed.
            ended = NO_TURN if case.state is State.SUSPECTED else ending
            enter(case, step.state, ended, relapsing, self.now)
            return [self.reporter.event(known, self.sheets, step.reason, self.now)]
        is_wider = case.state is State.CONFIRMED and len(case.hit) > case.told
        if is_wider and self.now - case.said >= WIDER_H:
            return [self.reporter.event(known, self.sheets, "More senders are hit.", self.now)]
        return []

    def _weigh_causes(self, case: Case) -> None:
        """At its line, a claim is as likely false as not; so are rising scores at theirs."""
        line = self._line(case.claim)
        at = line.suspect if math.isinf(line.confirm) else line.confirm
        real = probability(max(-MOST_SURE, min(MOST_SURE, case.score - at)))
        case.posterior = {case.claim.cause: real, Cause.INSUFFICIENT: 1 - real}

    def _name_victims(self, known: GaugeCase, found: Found) -> None:
        case, least = known.case, KINDS[self.gauge].least
        hit = told.hits(found.rows, self.now, found.shift.span_h, least)
        case.hit += [sender for sender in hit if sender not in case.hit]
        late = [r for r in found.rows if r.sender in hit and r.sent >= case.start.first]
        for row in late:
            if row.excess >= least and len(case.tests) < MOST_TESTS:
                case.tests[row.test] = None

    def _open(self, found: Found) -> list[IncidentEvent]:
        """Open a case, unless one is open there, or a like suspicion was dropped of late."""
        claim, line = found.claim, self._line(found.claim)
        if found.shift.score < line.suspect or self._is_told(claim):
            return []
        span, size = found.shift.span_h, found.shift.mean
        hit = told.hits(found.rows, self.now, span, KINDS[self.gauge].least)
        began = told.start(found.rows, hit, size)
        if began is None or len(hit) < told.fewest_hit(claim):
            return []
        name = new_name(told.place_told(self.gauge, claim), began.first, self.cases)
        case = Case(name, claim, State.SUSPECTED, self.now, began)
        case.score, case.heard = found.shift.score, self.now
        self._weigh_causes(case)
        if case.score >= line.confirm and case.is_sure:
            case.state = State.CONFIRMED
        elif self._was_dropped(claim):
            return []
        known = GaugeCase(self.gauge, case, size)
        self.cases[case.id] = known
        self._name_victims(known, found)
        return [self.reporter.event(known, self.sheets, "The evidence is past the line.", self.now)]

    def _is_told(self, claim: Claim) -> bool:
        """Is a case open there, or one of all mail or of a service, if this is a sender's?"""
        return any(
            case.place == (claim.provider or "")
            and (case.claim.sender == claim.sender or case.claim.sender is None)
            for case in self._open_cases()
        )

    def _was_dropped(self, claim: Claim) -> bool:
        return any(
            case.gauge == self.gauge
            and case.claim == claim
            and case.case.closed is not None
            and self.now - case.case.closed < DROPPED_H
            for case in self.cases.values()
        )
