"""Turns a case into the event that the world is told."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from monitor.core.incidents import GOING_ON, IncidentEvent
from monitor.core.placements import Placement
from monitor.judge.cases import Case
from monitor.judge.claims import Family
from monitor.judge.clusters import WAYS_LOST, Cluster
from monitor.judge.ends import lasted_until
from monitor.judge.explain import Facts, sentence
from monitor.judge.gauges.report import Risen
from monitor.judge.hours import moment
from monitor.judge.memory import Memory
from monitor.judge.tally import lasted, tabulate


@dataclass(frozen=True, slots=True)
class Reporter:
    """Writes events; *names* are those of providers, for people."""

    memory: Memory
    names: Mapping[str, str]
    risen: Callable[[str], Risen | None] = lambda _: None  # scores that rose at a provider
    late: Sequence[Case] = ()  # confirmed incidents of mail that is late
    admits: Callable[[str], str] = lambda _: ""  # what a provider says of itself, as a sentence

    def event(self, case: Case, reason: str, now: float) -> IncidentEvent:
        case.told, case.said = len(case.hit), now
        case.sure = case.share
        evidence = tabulate(case, self.memory)
        covered = lasted(case).of(self.memory, self.memory.covered(case.claim))
        until = None if case.part_of else lasted_until(case.healed, reason)
        facts = Facts(
            cause=case.cause,
            claim=case.claim,
            state=case.state,
            since=moment(case.start.first),
            until=until,
            evidence=evidence,
            asked=self._asked(case, covered),
            places_hit=self._places(case, covered, only_bad=True),
            places=self._places(case, covered, only_bad=False),
            names=self.names,
            is_part=case.part_of is not None,
            is_late=any(late.id == case.part_of for late in self.late),
            held=self._held(case),
        )
        risen = self._risen(case)
        admits = self._admits(case)
        return IncidentEvent(
            at=moment(now),
            incident=case.id,
            state=case.state,
            cause=case.cause,
            start=moment(case.start.first),
            start_low=moment(case.start.low),
            start_high=moment(case.start.high),
            posterior={case.cause: 0.0} | case.stated,  # it names its cause, however improbable
            sentence=sentence(facts) + (risen.sentence if risen else "") + admits,
            reason=reason + admits,
            provider=case.claim.provider,
            feature=case.claim.named,
            sender=case.claim.sender,
            esp=case.claim.esp,
            seed=case.claim.seed,
            direction=case.claim.direction,
            hit=tuple(case.hit),
            spared=tuple(tally.name for tally in evidence.spared),
            tests=tuple(case.tests),
            evidence=replace(evidence, readings=risen.readings) if risen else evidence,
            until=until,
            part_of=case.part_of,
        )

    def _admits(self, case: Case) -> str:
        """That the provider admits trouble, while mail is lost there."""
        said = self.admits(case.claim.provider or "") if _is_of_provider(case) else ""
        return f" {said}" if said else ""

    def _risen(self, case: Case) -> Risen | None:
        """The scores that had risen before a provider began to lose mail, while it does."""
        return self.risen(case.claim.provider or "") if _is_of_provider(case) else None

    def _held(self, case: Case) -> Placement:
        """Where mail that the claim covers was mostly lost before it began."""
        if not case.claim.is_better:
            return Placement.SPAM
        covered = self.memory.clusters(self.memory.covered(case.claim))
        ways = Counter(c.way for c in covered if c.sent < case.start.first)
        return max(WAYS_LOST, key=lambda way: ways[way]).placement

    def _asked(self, case: Case, covered: list[Cluster]) -> int:
        """Senders whose mail the claim covers, since its start."""
        return len({cluster.sender for cluster in covered} | set(case.hit))

    def _places(self, case: Case, covered: list[Cluster], *, only_bad: bool) -> int:
        """Providers to which those hit sent mail, or at which most of it is bad."""
        losses: dict[str, float] = {}
        for cluster in covered:
            if cluster.sender in case.hit:
                losses[cluster.provider] = losses.get(cluster.provider, 0.0) + cluster.loss()
        return sum(loss > 0 or not only_bad for loss in losses.values())


def _is_of_provider(case: Case) -> bool:
    """Is a provider to blame for mail that is being lost?"""
    is_worse = case.claim.family is Family.PROVIDER and not case.claim.is_better
    return is_worse and case.state in GOING_ON
