"""What a mail server should do with mail that an incident would hit, for machines. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from monitor.core.incidents import Cause, Direction, Incident, IncidentEvent, State
from monitor.core.seeds import ProviderFacts

AHEAD = timedelta(hours=2)  # so far at most does advice reach, and at least half of it


class Action(StrEnum):
    HOLD = "hold"  # keep this mail in the queue until the advice changes
    SLOW = "slow"  # little at a time; what can wait, waits
    SEND = "send"  # as usual


@dataclass(frozen=True, slots=True)
class HoldAdvice:
    """What to do with which mail, why, and until when.

    It concerns mail to `provider` (None: to all of them) that carries `feature` (None: all
    mail) and comes from `sender` (None: from anybody).
    """

    incident: str
    action: Action
    provider: str | None
    provider_name: str
    mx_patterns: tuple[str, ...]  # of MX hosts; "*" stands for any characters
    feature: str | None  # "kind:value", as url:lnk.example
    sender: str | None
    cause: Cause
    state: State
    reason: str
    since: datetime
    until: datetime  # ask again by then: after that, it is no advice any more
    probability: float | None  # of the cause, 0 to 1; None: not reckoned

    def as_json(self) -> dict[str, object]:
        """The shape that docs/api.md describes; times in ISO 8601."""
        told: dict[str, object] = asdict(self)
        return told | {
            "action": self.action.value,
            "cause": self.cause.value,
            "state": self.state.value,
            "mx_patterns": list(self.mx_patterns),
            "since": self.since.isoformat(),
            "until": self.until.isoformat(),
        }


# What a confirmed incident of lost mail asks of a mail server. Others ask nothing: trouble of
# seeds or of this installation says nothing about mail.
_CONFIRMED: Mapping[Cause, Action] = {
    Cause.PROVIDER: Action.HOLD,
    Cause.PROVIDER_FEATURE: Action.HOLD,
    Cause.SENDER: Action.HOLD,
    Cause.SENDER_AT_PROVIDER: Action.SLOW,
    Cause.CONTENT: Action.HOLD,
    Cause.POLICY: Action.HOLD,
    Cause.ESP: Action.SLOW,
}


def hold_advice(
    event: IncidentEvent, facts: Mapping[str, ProviderFacts], now: datetime
) -> HoldAdvice | None:
    """Return what *event* asks of a mail server; None if it says nothing about mail.

    Args:
        facts: provider id to facts, for its name and its MX hosts.
    """
    if event.cause not in _CONFIRMED:
        return None
    known = facts.get(event.provider or "")
    return HoldAdvice(
        incident=event.incident,
        action=_action(event),
        provider=event.provider,
        provider_name=known.name if known else event.provider or "",
        mx_patterns=patterns(known.mx) if known else (),
        feature=event.feature or (f"esp:{event.esp}" if event.esp else None),
        sender=event.sender if event.cause.blames_sender else None,
        cause=event.cause,
        state=event.state,
        reason=event.sentence,
        since=event.start,
        until=_until(now),
        probability=event.posterior.get(event.cause),
    )


def all_advice(
    incidents: Iterable[Incident], facts: Mapping[str, ProviderFacts], now: datetime
) -> list[HoldAdvice]:
    """Return the advice of all open incidents that ask for more than sending as usual."""
    found = (hold_advice(one.latest, facts, now) for one in incidents if one.is_open)
    return [advice for advice in found if advice and advice.action is not Action.SEND]


def patterns(suffixes: Iterable[str]) -> tuple[str, ...]:
    """Return what matches hosts of these names and below: "mx.example" and "*.mx.example"."""
    return tuple(form for suffix in suffixes for form in (suffix, f"*.{suffix}"))


def _action(event: IncidentEvent) -> Action:
    if event.state is State.CLOSED or event.direction is Direction.BETTER or event.is_foreboding:
        return Action.SEND
    if event.state is not State.CONFIRMED or event.is_late:
        return Action.SLOW
    return _CONFIRMED[event.cause]


def _until(now: datetime) -> datetime:
    """A full hour, so that what is asked for often does not change with every question."""
    return now.replace(minute=0, second=0, microsecond=0) + AHEAD
