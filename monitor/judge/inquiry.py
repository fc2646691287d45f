"""Opens cases, judges them anew as results come in, and closes them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from monitor.core.incidents import GOING_ON, Cause, IncidentEvent, State
from monitor.judge import attribute, common_side, provider_side, sender_side, slide, trend, turns
from monitor.judge.better import suspect_better
from monitor.judge.cases import AGAIN_H, Case
from monitor.judge.claims import Claim, Family, Suspicion
from monitor.judge.clusters import Cluster
from monitor.judge.docket import Docket, enter
from monitor.judge.intake import News
from monitor.judge.lines import Lines
from monitor.judge.memory import Memory
from monitor.judge.pairs import with_pairs
from monitor.judge.questions import NEAR, Questions
from monitor.judge.reports import Reporter
from monitor.judge.trend import Scene, Signs
from monitor.judge.turns import NO_TURN, Turn

SLOWLY_H = 1.0  # between two questions about a slow decline
MILDLY_H = 3.0  # and about a filter that lets mail through, ...
STRIKING = 2.0  # ... but for mail that says so many nats for it, which is asked about at once
YOUNG_H = 24.0  # what a start can still be learnt in


@dataclass(slots=True)
class Inquiry:
    """One round of questions, raised by one observation."""

    memory: Memory
    docket: Docket
    lines: Lines
    reporter: Reporter
    now: float

    def follow(self, news: News) -> list[IncidentEvent]:
        """Ask what *news* changes: first for the cases there are, then for new ones."""
        cluster = news.cluster
        events = []
        for case in self.docket.open():
            if case.claim.covers(cluster):
                case.heard = max(case.heard, cluster.last)
                if news.is_news or case.may_turn:
                    events += self._review(case, cluster if news.is_news else None)
            elif news.is_news and case.needs_controls:
                events += self._review(case, cluster)
        if news.is_news:
            for bad in self._questions.open_to(cluster):
                events += self._ask_provider(bad.provider, bad)
            events += self._ask_slowly(cluster.provider)
            events += self._ask_milder(cluster)
            events += self._ask_sender(cluster)
            events += self._ask_everyone(cluster)
        return events

    def settle(self) -> list[IncidentEvent]:
        """Let time pass for all open cases."""
        return [event for case in self.docket.open() for event in self._review(case, None)]

    def absorb(self, late: Case) -> list[IncidentEvent]:
        """Close the cases about lost mail that turns out to be *late*."""
        like = (late.claim.family, late.claim.provider, late.claim.direction)
        others = [
            case
            for case in self.docket.open()
            if (case.claim.family, case.claim.provider, case.claim.direction) == like
        ]
        return self._close_parts(late, others, f"The mail is late, not lost: see {late.id}.")

    @property
    def _questions(self) -> Questions:
        return Questions(self.memory, self.docket, self.lines, self.now)

    # ---- open cases

    def _review(self, case: Case, cluster: Cluster | None) -> list[IncidentEvent]:
        """Judge *case* anew; *cluster* is what brought news, if anything did."""
        if not case.is_open or case.claim.family is Family.SEED:
            return []
        renamed = cluster is not None and self._rename(case, cluster)
        found = self._signs(case)
        in_turn = turns.by_sending(found)
        ending = self._ending(case, in_turn)
        relapsing = NO_TURN
        if case.state is State.RECOVERING and case.healed is not None:
            relapsing = turns.relapse(in_turn, case.hit, case.healed)
        step = case.step(self.lines.of(case.claim), ending, relapsing, self.now)
        if step is not None:
            self._enter(case, step.state, ending, relapsing)
        if case.state in GOING_ON:
            case.name_victims(found)
        if step is not None:
            event = self._tell(case, step.reason, found, ending)
            return [event, *(self._contain(case) if step.state is State.CONFIRMED else [])]
        if renamed:
            return [self._tell(case, "Another cause explains it better.", found, ending)]
        reason = case.news(self.now)
        return [] if reason is None else [self._tell(case, reason, found, ending)]

    def _ending(self, case: Case, found: Signs) -> Turn:
        """What the mail of *case* says for an end.

        What a provider does to all mail may pass many senders by. What it does to a feature
        passes few, and those hit may not send any again for days: there, others tell too.
        """
        new = case.claim.wanted is not None and case.claim.region is None
        asked = turns.witnesses(found, case.hit, case.start.first, new=new)
        return turns.end(found, asked, case.start.first if case.back is None else case.back)

    def _tell(self, case: Case, reason: str, found: Signs, ending: Turn) -> IncidentEvent:
        """Write an event; a young case tells its start as it is known by now.

        Later mail, of the same senders, adds the same to every start that is possible.
        """
        is_young = case.state in GOING_ON and self.now - case.opened <= YOUNG_H
        if is_young and case.back is None:
            told = trend.unexplained(found, case.id, is_better=case.claim.is_better)
            if ending.evidence > 0:
                told = told.where(told.at < ending.since)
            case.start = trend.revised(told, case.start, case.opened)
            self._explain(case)
        return self.reporter.event(case, reason, self.now)

    def _enter(
        self, case: Case, state: State, ending: Turn = NO_TURN, relapsing: Turn = NO_TURN
    ) -> None:
        enter(case, state, ending, relapsing, self.now)
        self._explain(case)

    def _rename(self, case: Case, cluster: Cluster) -> bool:
        """Score *case* anew, and name it anew if another claim explains clearly more."""
        suspicions = self._questions.about(case, cluster)
        own, better = attribute.rename(case.claim, suspicions, self.lines)
        if own is not None and attribute.is_lasting(case.claim):
            case.score, case.by_removal = own.score, case.by_removal or own.by_removal
        if case.state is State.RECOVERING:
            return False
        was = (case.claim, case.cause)
        found = attribute.posterior(suspicions, self.lines)
        if better is not None and not case.keeps_its_name(self.now, found):
            scene = self._scene(better, beside=case.id)
            if scene is not None and case.is_about(scene.victims):
                case.assume(better, scene)
                case.names += 1
        self._weigh(case, suspicions)
        if (case.claim, case.cause) == was:
            return False
        self._explain(case)
        return True

    def _weigh(self, case: Case, suspicions: Sequence[Suspicion]) -> None:
        rival = -math.inf
        if case.claim.cause is Cause.SENDER_AT_PROVIDER and case.claim.provider and case.hit:
            sender, place = case.hit[0], case.claim.provider
            since = self._healed(case.claim)
            rival = sender_side.rival_provider(
                self.memory, sender, place, since, self.lines.providers
            )
        found = attribute.posterior(suspicions, self.lines, rival=rival)
        if case.is_past(found):
            return
        case.posterior = found
        was_sure = case.told > 0 and not case.is_unsure
        unsure = attribute.is_unsure(case.claim, case.posterior, was_sure=was_sure)
        if not unsure or self.now - case.said >= AGAIN_H:  # what was just said is not taken back
            case.is_unsure = unsure

    def _scene(self, suspicion: Suspicion, *, beside: str = "") -> Scene | None:
        since = self._healed(suspicion.claim)
        return trend.scene(self.memory, suspicion, self.now, since=since, beside=beside)

    def _healed(self, claim: Claim) -> float:
        """Since when mail speaks for *claim*, and not for a sender's trouble of before."""
        if claim.sender is None:
            return -math.inf
        return self.docket.healed(claim.sender, claim.provider)

    def _signs(self, case: Case) -> Signs:
        low = case.start.low
        found = trend.signs(
            self.memory, case.claim, self.now, by_removal=case.by_removal, since=low
        )
        return found.where(found.at >= self._healed(case.claim))

    def _explain(self, case: Case) -> None:
        """Let every cluster know of a change in *case*, if it is of a kind that explains."""
        if case.explains_any:
            self.docket.explain(self.memory, self.memory)

    # ---- new cases

    def _ask_provider(self, provider: str, cluster: Cluster) -> list[IncidentEvent]:
        """Ask whether it is *provider*, where the mail of *cluster* is bad."""
        suspicions = provider_side.suspect(self.memory, provider, self.now, about=cluster)
        best = attribute.choose(suspicions, self.lines)
        self.docket.near[provider] = max(map(self.lines.margin, suspicions), default=-NEAR)
        if best is None:
            return []
        also = best.claim.feature
        suspicions = provider_side.suspect(self.memory, provider, self.now, also=also)
        suspicions = with_pairs(self.memory, self.lines, suspicions, self.now)
        return self._open(attribute.choose(suspicions, self.lines) or best, suspicions)

    def _ask_slowly(self, provider: str) -> list[IncidentEvent]:
        """Ask once an hour whether mail at *provider* has been getting worse for days."""
        asked = self.docket.slowly.get(provider, -math.inf)
        if self.now - asked < SLOWLY_H:
            return []
        self.docket.slowly[provider] = self.now
        slow = slide.suspect(self.memory, provider, self.now)
        if slow is None or self.lines.margin(slow) < 0:
            return []
        suspicions = provider_side.suspect(self.memory, provider, self.now)
        return self._open(attribute.choose(suspicions, self.lines) or slow, suspicions)

    def ask_anew(self, provider: str) -> list[IncidentEvent]:
        """Ask whether it is *provider*, of which something else than mail has told."""
        suspicions = provider_side.suspect(self.memory, provider, self.now)
        suspicions = with_pairs(self.memory, self.lines, suspicions, self.now)
        best = attribute.choose(suspicions, self.lines)
        return [] if best is None else self._open(best, suspicions)

    def _ask_milder(self, cluster: Cluster) -> list[IncidentEvent]:
        """Ask now and then whether a provider has begun to let mail through."""
        provider, asked = cluster.provider, self.docket.mildly.get(cluster.provider, -math.inf)
        is_asked = self.now - asked >= MILDLY_H or cluster.relief >= STRIKING
        if not (cluster.is_eased and is_asked) or self.docket.has_failed(provider):
            return []
        self.docket.mildly[provider] = self.now
        suspicions = suspect_better(self.memory, provider, self.now)
        best = attribute.choose(suspicions, self.lines)
        return [] if best is None else self._open(best, suspicions)

    def _ask_sender(self, cluster: Cluster) -> list[IncidentEvent]:
        if not cluster.is_bad or self.docket.of_sender(cluster.sender) is not None:
            return []
        ask = partial(self._questions.of_sender, cluster.sender, cluster)
        lasting = self.lines.of(Claim(Cause.SENDER, sender=cluster.sender))
        best = attribute.choose(ask(least=lasting.suspect), self.lines)
        return [] if best is None else self._open(best, ask())

    def _ask_everyone(self, cluster: Cluster) -> list[IncidentEvent]:
        trial = self.memory.trials[cluster.test]
        if not cluster.is_blind and not (cluster.is_bad and common_side.is_widely_bad(trial)):
            return []
        suspicions = self._questions.common(cluster)
        best = attribute.choose(suspicions, self.lines)
        return [] if best is None else self._open(best, suspicions)

    def _open(self, suspicion: Suspicion, suspicions: Sequence[Suspicion]) -> list[IncidentEvent]:
        """Open a case, unless an open one says it already."""
        scene = self._scene(suspicion)
        if scene is None or self.docket.is_told(suspicion.claim, scene.victims):
            return []
        name = self.docket.new_id(suspicion.claim, scene.start.first)
        case = Case(name, suspicion.claim, State.SUSPECTED, self.now, scene.start, heard=self.now)
        case.assume(suspicion, scene)
        self._weigh(case, suspicions)
        confirmed = case.is_sure and case.score >= self.lines.of(case.claim).confirm
        reason = "The evidence is past the line."
        if confirmed:
            case.state = State.CONFIRMED
            if (known := self.docket.foreshadowing(case)) is not None:
                case.id, reason = known.id, "Others are hit as well: it is not this sender."
        elif self.docket.was_dropped(case, self.now):
            return []
        self.docket.add(case)
        self._explain(case)
        opened = self.reporter.event(case, reason, self.now)
        return [opened, *(self._contain(case) if confirmed else [])]

    def _contain(self, case: Case) -> list[IncidentEvent]:
        """Close the cases that turn out to be parts of *case*."""
        others = [other for other in self.docket.open() if case.may_contain(other)]
        return self._close_parts(case, others, f"It is part of {case.id}: others are hit as well.")

    def _close_parts(self, case: Case, others: Sequence[Case], reason: str) -> list[IncidentEvent]:
        """Close those of *others* whose losses *case* explains."""
        events = []
        for other in others:
            if case.covers_losses(other, self._signs(other)):
                other.part_of = case.id
                self._enter(other, State.CLOSED)
                events.append(self.reporter.event(other, reason, self.now))
        return events
