"""Opens cases, judges them anew as results come in, and closes them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.core.incidents import Cause, IncidentEvent, State
from monitor.judge import attribute, common_side, provider_side, sender_side, slide, trend
from monitor.judge.cases import AGAIN_H, WIDER_H, Case
from monitor.judge.claims import ESP, Claim, Family, Suspicion
from monitor.judge.clusters import Cluster
from monitor.judge.docket import Docket
from monitor.judge.intake import News
from monitor.judge.lines import Lines
from monitor.judge.memory import Memory
from monitor.judge.reports import Reporter
from monitor.judge.trend import NO_TURN, Scene, Turn

SLOWLY_H = 1.0  # between two questions about a slow decline
NEAR = 3.0  # nats: a control can add no more than that to the evidence
OWN_TROUBLE_H = 48.0  # a sender in trouble for longer is no witness to a common cause
PART = 0.8  # share of a case's losses that a wider claim must cover to contain it
SAME = 0.6  # of a case's victims must be those of the other name it is given
SPLIT = 0.5  # of the victims that must be new before a second claim is made at a provider

GOING_ON = frozenset({State.SUSPECTED, State.CONFIRMED})


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
        if news.is_news:
            for bad in self._questionable(cluster):
                events += self._ask_provider(bad.provider, bad)
            events += self._ask_slowly(cluster.provider)
            events += self._ask_sender(cluster)
            events += self._ask_everyone(cluster)
        return events

    def settle(self) -> list[IncidentEvent]:
        """Let time pass for all open cases."""
        return [event for case in self.docket.open() for event in self._review(case, None)]

    # ---- open cases

    def _review(self, case: Case, cluster: Cluster | None) -> list[IncidentEvent]:
        """Judge *case* anew; *cluster* is what brought news, if anything did."""
        if not case.is_open or case.claim.family is Family.SEED:
            return []
        renamed = cluster is not None and self._rename(case, cluster)
        found = trend.signs(self.memory, case.claim, self.now, by_removal=case.by_removal)
        ending = trend.end(found, case.hit, case.start.high if case.back is None else case.back)
        relapsing = NO_TURN
        if case.state is State.RECOVERING and case.healed is not None:
            relapsing = trend.relapse(found, case.hit, case.healed)
        step = case.step(self.lines.of(case.claim), ending, relapsing, self.now)
        if step is not None:
            self._enter(case, step.state, ending, relapsing)
        if case.state in GOING_ON:
            case.name_victims(found)
        if step is not None:
            event = self.reporter.event(case, step.reason, self.now)
            return [event, *(self._contain(case) if step.state is State.CONFIRMED else [])]
        if renamed:
            return [self.reporter.event(case, "Another cause explains it better.", self.now)]
        is_wider = len(case.hit) > case.told
        quiet_h = WIDER_H if is_wider else AGAIN_H
        if case.state is State.CONFIRMED and case.is_news and self.now - case.said >= quiet_h:
            reason = "More senders are hit." if is_wider else "It is certain now."
            return [self.reporter.event(case, reason, self.now)]
        return []

    def _enter(
        self, case: Case, state: State, ending: Turn = NO_TURN, relapsing: Turn = NO_TURN
    ) -> None:
        if state in {State.RECOVERING, State.CLOSED} and ending.evidence > 0:
            case.healed = ending.since
        if state is State.CONFIRMED and case.state is State.RECOVERING:
            case.healed, case.back = None, relapsing.since
        if state is State.CLOSED:
            case.closed = self.now
        case.state = state
        self._explain(case)

    def _rename(self, case: Case, cluster: Cluster) -> bool:
        """Score *case* anew, and name it anew if another claim explains clearly more."""
        suspicions = self._suspicions(case, cluster)
        own, better = attribute.rename(case.claim, suspicions, self.lines)
        if own is not None and attribute.is_lasting(case.claim):
            case.score, case.by_removal = own.score, case.by_removal or own.by_removal
        if case.state is State.RECOVERING:
            return False
        was = (case.claim, case.cause)
        scene = None if better is None else self._scene(better, beside=case.id)
        if better is not None and scene is not None and _is_same(case, scene):
            case.assume(better, scene)
        self._weigh(case, suspicions)
        if (case.claim, case.cause) == was:
            return False
        self._explain(case)
        return True

    def _suspicions(self, case: Case, cluster: Cluster) -> Sequence[Suspicion]:
        claim = case.claim
        if claim.family is Family.SENDER and claim.sender is not None:
            since = self.docket.healed(claim.sender)
            return sender_side.suspect(
                self.memory, self.now, cluster, since=since, also=claim.provider
            )
        if claim.family is Family.PROVIDER and claim.provider is not None:
            return provider_side.suspect(
                self.memory, claim.provider, self.now, also=claim.feature, beside=case.id
            )
        return self._common(cluster, also=case)

    def _weigh(self, case: Case, suspicions: Sequence[Suspicion]) -> None:
        rival = float("-inf")
        if case.claim.cause is Cause.SENDER_AT_PROVIDER and case.claim.provider and case.hit:
            rival = sender_side.rival_provider(
                self.memory, case.hit[0], case.claim.provider, self.lines.providers
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
        return trend.scene(self.memory, suspicion, self.now, beside=beside)

    def _explain(self, case: Case) -> None:
        """Let every cluster know of a change in *case*, if it is of a kind that explains."""
        if case.explains_any:
            self.docket.explain(self.memory, self.memory)

    # ---- new cases

    def _questionable(self, cluster: Cluster) -> list[Cluster]:
        """What to ask providers about: mail that is bad, now that a control has come in."""
        if cluster.is_bad:
            return [cluster]
        near = self.docket.near
        mates = self.memory.trials[cluster.test].clusters.values()
        return [c for c in mates if c.is_bad and near.get(c.provider, -NEAR) > -NEAR]

    def _ask_provider(self, provider: str, cluster: Cluster) -> list[IncidentEvent]:
        """Ask whether it is *provider*, where the mail of *cluster* is bad."""
        suspicions = provider_side.suspect(self.memory, provider, self.now, about=cluster)
        best = attribute.choose(suspicions, self.lines)
        self.docket.near[provider] = max(map(self.lines.margin, suspicions), default=-NEAR)
        if best is None:
            return []
        also = best.claim.feature
        suspicions = provider_side.suspect(self.memory, provider, self.now, also=also)
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

    def _ask_sender(self, cluster: Cluster) -> list[IncidentEvent]:
        if not cluster.is_bad or self.docket.of_sender(cluster.sender) is not None:
            return []
        since = self.docket.healed(cluster.sender)
        suspicions = sender_side.suspect(self.memory, self.now, cluster, since=since)
        best = attribute.choose(suspicions, self.lines)
        return [] if best is None else self._open(best, suspicions)

    def _ask_everyone(self, cluster: Cluster) -> list[IncidentEvent]:
        trial = self.memory.trials[cluster.test]
        if not cluster.is_blind and not (cluster.is_bad and common_side.is_widely_bad(trial)):
            return []
        suspicions = self._common(cluster, also=None)
        best = attribute.choose(suspicions, self.lines)
        return [] if best is None else self._open(best, suspicions)

    def _common(self, cluster: Cluster, *, also: Case | None) -> Sequence[Suspicion]:
        """Common causes for the mail of *cluster*, and for the open case *also*."""
        apart = self.docket.in_trouble_before(self.now - OWN_TROUBLE_H)
        if cluster.is_blind:
            score = common_side.blindness(self.memory, self.now)
            return [Suspicion(Claim(Cause.MONITOR), score)]
        features = list(cluster.features)
        if also is not None:
            esp = also.claim.esp and f"{ESP}{also.claim.esp}"
            features = list(dict.fromkeys([*filter(None, [also.claim.feature, esp]), *features]))
        beside = "" if also is None else also.id
        return common_side.suspect(self.memory, self.now, features, apart=apart, beside=beside)

    def _open(self, suspicion: Suspicion, suspicions: Sequence[Suspicion]) -> list[IncidentEvent]:
        """Open a case, unless an open one says it already."""
        scene = self._scene(suspicion)
        if scene is None or self._is_told(suspicion.claim, scene):
            return []
        name = self.docket.new_id(suspicion.claim, scene.start.high)
        case = Case(name, suspicion.claim, State.SUSPECTED, self.now, scene.start, heard=self.now)
        case.assume(suspicion, scene)
        self._weigh(case, suspicions)
        confirmed = case.is_sure and case.score >= self.lines.of(case.claim).confirm
        if confirmed:
            case.state = State.CONFIRMED
        elif self.docket.was_dropped(case, self.now):
            return []
        self.docket.add(case)
        self._explain(case)
        opened = self.reporter.event(case, "The evidence is past the line.", self.now)
        return [opened, *(self._contain(case) if confirmed else [])]

    def _is_told(self, claim: Claim, scene: Scene) -> bool:
        """Does an open case of the same family and place name most of the victims?

        Of common causes, one is enough to account for any of the victims.
        """
        victims = set(scene.victims)
        split = SPLIT if claim.family is not Family.COMMON else 1.0
        return any(
            len(victims - set(case.hit)) < split * len(victims)
            for case in self.docket.open()
            if case.claim.family is claim.family and case.claim.provider == claim.provider
        )

    def _contain(self, case: Case) -> list[IncidentEvent]:
        """Close the cases that turn out to be parts of *case*."""
        events = []
        for other in self.docket.open():
            if other is not case and self._is_part(other, case):
                other.part_of = case.id
                self._enter(other, State.CLOSED)
                reason = f"It is part of {case.id}: others are hit as well."
                events.append(self.reporter.event(other, reason, self.now))
        return events

    def _is_part(self, other: Case, case: Case) -> bool:
        """Does the claim of *case* cover nearly all that *other* was opened for?"""
        order = (Family.SENDER, Family.PROVIDER, Family.COMMON)
        if other.claim.family is Family.SEED or case.claim.family is Family.SENDER:
            return False
        if order.index(other.claim.family) >= order.index(case.claim.family):
            return False
        found = trend.signs(self.memory, other.claim, self.now, by_removal=other.by_removal)
        lost = found.where((found.loss > 0) & (found.at >= other.start.high)).rows
        known = [c for c in self.memory.clusters(lost) if case.id in c.explained]
        return len(lost) > 0 and len(known) >= PART * len(lost)


def _is_same(case: Case, scene: Scene) -> bool:
    """Is it another name for the same mail?"""
    return len(set(case.hit) & set(scene.victims)) >= SAME * len(case.hit)
