"""Incidents: whose fault, and the life of a claim as a pure state machine."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Cause(StrEnum):
    PROVIDER = "provider"
    PROVIDER_FEATURE = "provider_feature"
    SENDER = "sender"
    SENDER_AT_PROVIDER = "sender_at_provider"
    CONTENT = "content"
    POLICY = "policy"
    ESP = "esp"
    SEED = "seed"
    MONITOR = "monitor"
    INSUFFICIENT = "insufficient"

    @property
    def blames_provider(self) -> bool:
        return self in {Cause.PROVIDER, Cause.PROVIDER_FEATURE}

    @property
    def blames_sender(self) -> bool:
        return self in {Cause.SENDER, Cause.SENDER_AT_PROVIDER, Cause.CONTENT}


class State(StrEnum):
    SUSPECTED = "suspected"
    CONFIRMED = "confirmed"
    RECOVERING = "recovering"
    CLOSED = "closed"


class Direction(StrEnum):
    WORSE = "worse"
    BETTER = "better"  # a filter that stops filtering is an incident too


DELAY = "delay_h"  # the gauge of mail that is late

# A suspicion is shown, not told: it may pass. Recovering is shown too; people are told
# once it is over, so that nobody is told twice by an incident that comes back.
TOLD = frozenset({State.CONFIRMED, State.CLOSED})

GOING_ON = frozenset({State.SUSPECTED, State.CONFIRMED})  # mail is being hit, as far as is known

# A relabelling repeats the present state, so each state may follow itself.
NEXT: Mapping[State, frozenset[State]] = {
    State.SUSPECTED: frozenset({State.SUSPECTED, State.CONFIRMED, State.CLOSED}),
    State.CONFIRMED: frozenset({State.CONFIRMED, State.RECOVERING, State.CLOSED}),
    State.RECOVERING: frozenset({State.RECOVERING, State.CONFIRMED, State.CLOSED}),
    State.CLOSED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Tally:
    """k of n copies did not reach the inbox, and what was to be expected."""

    name: str  # of the sender, provider or feature
    n: int
    bad: int
    n_eff: float  # independent copies that these n are worth
    low: float  # interval of bad/n
    high: float
    expected: float  # usual share of bad


@dataclass(frozen=True, slots=True)
class Reading:
    """What a gauge usually shows for one sender or provider, and what it shows now."""

    name: str  # of the sender; of the provider, if it is a control
    gauge: str  # delay_h, scl, bcl, score
    n: int  # campaigns
    usual: float
    now: float
    is_hit: bool = False
    is_control: bool = False  # the same mail at another provider


@dataclass(frozen=True, slots=True)
class Evidence:
    """The table behind a verdict: who is hit, who is spared, which controls speak."""

    hit: tuple[Tally, ...] = ()  # senders
    spared: tuple[Tally, ...] = ()  # senders
    controls: tuple[Tally, ...] = ()  # the same mail at other providers, or without the feature
    placements: Mapping[str, int] = field(default_factory=dict)  # of the hit copies
    readings: tuple[Reading, ...] = ()  # of delay, or of the filter's scores


@dataclass(frozen=True, slots=True)
class IncidentEvent:
    """One change in the life of an incident. Events are appended, never altered."""

    at: datetime
    incident: str
    state: State
    cause: Cause
    start: datetime
    start_low: datetime
    start_high: datetime
    posterior: Mapping[Cause, float]
    sentence: str
    reason: str  # why this event, in words
    provider: str | None = None
    feature: str | None = None
    sender: str | None = None
    esp: str | None = None
    seed: str | None = None
    direction: Direction = Direction.WORSE
    hit: tuple[str, ...] = ()  # senders
    spared: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()  # affected tests seen so far
    evidence: Evidence = Evidence()
    gauge: str | None = None  # mail is not lost, but late ("delay_h") or scored higher
    until: datetime | None = None  # since when its mail is as usual, if it is over
    part_of: str | None = None  # closed because this other incident contains it

    @property
    def is_late(self) -> bool:
        """Is it about mail that arrives, but late?"""
        return self.gauge == DELAY

    @property
    def is_foreboding(self) -> bool:
        """Is it about a filter's scores? They tell of mail that still arrives."""
        return self.gauge is not None and not self.is_late


@dataclass(frozen=True, slots=True)
class Incident:
    """An incident as its latest event tells it."""

    id: str
    opened_at: datetime
    closed_at: datetime | None
    states: tuple[State, ...]  # in order, repeats left out
    latest: IncidentEvent
    confirmed_at: datetime | None = None  # first

    @property
    def alarmed_at(self) -> datetime:
        """When we said so: when it was confirmed, or first suspected if it never was."""
        return self.confirmed_at or self.opened_at

    @property
    def state(self) -> State:
        return self.latest.state

    @property
    def is_open(self) -> bool:
        return self.state is not State.CLOSED

    @property
    def was_confirmed(self) -> bool:
        """Was it ever more than a suspicion?"""
        return State.CONFIRMED in self.states


def may_follow(before: State | None, after: State) -> bool:
    """Is *after* a legal next state? An incident may begin suspected or confirmed."""
    if before is None:
        return after in {State.SUSPECTED, State.CONFIRMED}
    return after in NEXT[before]


def fold(events: Iterable[IncidentEvent]) -> Incident:
    """Tell one incident from its events, oldest first.

    Raises:
        ValueError: no event, events of two incidents, or a state that cannot follow.
    """
    story = list(events)
    if not story:
        raise ValueError("an incident needs at least one event")
    states: list[State] = []
    for event in story:
        if event.incident != story[0].incident:
            raise ValueError(f"{event.incident} is not {story[0].incident}")
        if not may_follow(states[-1] if states else None, event.state):
            raise ValueError(f"{event.state} cannot follow {states}")
        if not states or states[-1] is not event.state:
            states.append(event.state)
    last = story[-1]
    return Incident(
        id=last.incident,
        opened_at=story[0].at,
        closed_at=last.at if last.state is State.CLOSED else None,
        states=tuple(states),
        latest=last,
        confirmed_at=next((e.at for e in story if e.state is State.CONFIRMED), None),
    )
