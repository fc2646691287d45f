"""The cases, open ones and those closed of late, and what they explain."""

import math
from collections.abc import Collection, Container, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from monitor.core.incidents import Cause, State
from monitor.judge.cases import Case
from monitor.judge.claims import Claim, Family
from monitor.judge.clusters import Cluster, Fate
from monitor.judge.hours import moment
from monitor.judge.memory import WINDOW_H, Memory
from monitor.judge.turns import Turn

LONGEST_PLACE = 64
DROPPED_H = 24.0  # what was suspected and dropped is not suspected again for a day
SPLIT = 0.5  # of the victims that must be new before a second claim is made at a provider
RETAINED_H = 2 * WINDOW_H  # closed cases: longer than any later one could reach back


def place_of(claim: Claim) -> str:
    """The part of an incident's id that tells its place."""
    return (claim.provider or "all")[:LONGEST_PLACE]


def new_name(place: str, start: float, known: Container[str]) -> str:
    """An id made of *place* and *start*, other than those *known*."""
    name = f"{place}-{moment(start):%Y%m%dT%H%M%S}"
    number, unique = 1, name
    while unique in known:
        number += 1
        unique = f"{name}-{number}"
    return unique


def enter(case: Case, state: State, ending: Turn, relapsing: Turn, now: float) -> None:
    """Bring *case* into *state*, with the hours since when its mail is good, or bad again."""
    if state in {State.RECOVERING, State.CLOSED} and ending.evidence > 0:
        case.healed = ending.since
    if state is State.CONFIRMED and case.state is State.RECOVERING:
        case.healed, case.back = None, relapsing.since
    if state is State.CLOSED:
        case.closed = now
    case.state = state


@dataclass(slots=True)
class Docket:
    """Cases by id, in the order in which they were opened."""

    cases: dict[str, Case] = field(default_factory=dict)
    # By provider: how far above its line the best claim was when last asked about.
    near: dict[str, float] = field(default_factory=dict)
    slowly: dict[str, float] = field(default_factory=dict)  # when asked about a slow decline
    mildly: dict[str, float] = field(default_factory=dict)  # ... and about a milder filter
    late: list[Case] = field(default_factory=list)  # incidents of mail that is late, kept elsewhere

    def __iter__(self) -> Iterator[Case]:
        return iter(list(self.cases.values()))

    def open(self) -> list[Case]:
        closed = State.CLOSED
        return [case for case in self.cases.values() if case.state is not closed]

    def add(self, case: Case) -> None:
        self.cases[case.id] = case

    def new_id(self, claim: Claim, start: float) -> str:
        """A name made of place and start: it stays true when the cause is named anew."""
        return new_name(place_of(claim), start, self.cases)

    def of_sender(self, sender: str) -> Case | None:
        """The open case about this sender; there is at most one."""
        return next(
            (
                case
                for case in self.open()
                if case.claim.family is Family.SENDER and case.claim.sender == sender
            ),
            None,
        )

    def healed(self, sender: str, provider: str | None = None) -> float:
        """Since when the mail of *sender* was good again after its last trouble; or -inf.

        Args:
            provider: only trouble that *sender* had there is asked about; by default all.
        """
        ended = [
            c.healed
            for c in self.cases.values()
            if c.closed and c.claim.sender == sender
            if provider is None or c.claim.provider in {None, provider}
        ]
        return max((hour for hour in ended if hour is not None), default=-math.inf)

    def was_dropped(self, case: Case, now: float) -> bool:
        """Was a suspicion like *case* given up of late? Then a mere suspicion is no news."""
        return any(
            old.closed is not None
            and now - old.closed < DROPPED_H
            and old.part_of is None
            and old.claim.is_better is case.claim.is_better
            and (old.claim.family, old.claim.provider, old.claim.sender)
            == (case.claim.family, case.claim.provider, case.claim.sender)
            for old in self.cases.values()
        )

    def is_told(self, claim: Claim, victims: Collection[str]) -> bool:
        """Does an open case say so, or one of the same family and place name most *victims*?

        Of common causes, one is enough to account for any of them.
        """
        split = SPLIT if claim.family is not Family.COMMON else 1.0
        return any(
            case.claim == claim or len(set(victims) - set(case.hit)) < split * len(victims)
            for case in self.open()
            if (case.claim.family, case.claim.provider, case.claim.direction)
            == (claim.family, claim.provider, claim.direction)
        )

    def foreshadowing(self, case: Case) -> Case | None:
        """The suspicion of a sender that turns out to be *case*, which goes on under its id.

        It was a mere suspicion, of a sender that *case* hits, at the same place and time.
        """
        if case.claim.family is Family.SENDER or case.claim.is_better:
            return None
        return next(
            (
                known
                for known in self.open()
                if known.claim.family is Family.SENDER
                and known.state is State.SUSPECTED
                and known.claim.provider == case.claim.provider
                and known.claim.sender in case.hit
                and case.start.low <= known.start.first <= case.start.high
            ),
            None,
        )

    def has_failed(self, provider: str) -> bool:
        """Was *provider* to blame of late? What follows is the end of that, and no news."""
        return any(
            case.claim.provider == provider and not case.claim.is_better
            for case in self.cases.values()
            if case.claim.family is Family.PROVIDER
        )

    def about_seeds(self, provider: str) -> list[Case]:
        """The open cases about seeds at *provider*."""
        return [c for c in self.open() if c.claim.seed and c.claim.provider == provider]

    def in_trouble_before(self, hour: float) -> frozenset[str]:
        """Senders whose own trouble at many providers is certain, and older than *hour*."""
        return frozenset(
            case.claim.sender
            for case in self.open()
            if case.claim.cause is Cause.SENDER
            and case.claim.sender is not None
            and case.state is not State.SUSPECTED
            and case.start.first < hour
        )

    def explain(self, memory: Memory, clusters: Iterable[Cluster]) -> None:
        """Tell *clusters* which cases may have hit them. Mail that is late is missing at first."""
        cases = [case for case in self.cases.values() if case.explains_any]
        worse = [case for case in cases if not case.claim.is_better]
        better = [case for case in cases if case.claim.is_better]
        for cluster in clusters:
            if not (cases or self.late or cluster.explained or cluster.eased):
                continue
            explained = {c.id: share for c in worse if (share := c.explains(cluster))}
            if self.late and cluster.way is Fate.MISSING:
                explained |= {c.id: share for c in self.late if (share := c.explains(cluster))}
            eased = {c.id: share for c in better if (share := c.explains(cluster))}
            if explained != cluster.explained or eased != cluster.eased:
                cluster.explain(explained, eased)
                memory.weighed(cluster)

    def forget(self, now: float) -> None:
        gone = [c.id for c in self.cases.values() if c.closed and now - c.closed > RETAINED_H]
        for name in gone:
            del self.cases[name]

    def snapshot(self) -> dict[str, Any]:
        cases = [case.snapshot() for case in self.cases.values()]
        asked = {"near": self.near, "slowly": self.slowly, "mildly": self.mildly}
        return {"cases": cases, **asked}

    @classmethod
    def restore(cls, body: dict[str, Any]) -> "Docket":
        near, slowly, mildly = (dict(body[name]) for name in ("near", "slowly", "mildly"))
        docket = cls(near=near, slowly=slowly, mildly=mildly)
        for row in body["cases"]:
            docket.add(Case.restore(row))
        return docket
