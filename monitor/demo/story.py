"""Did the story come out right? Computed from what was read back, never assumed."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from monitor.core.incidents import Cause, Incident, State
from monitor.demo.cast import BLAMED_LINK, HIT, IN_TROUBLE

PROVIDER = "microsoft365"


@dataclass(frozen=True, slots=True)
class ReadAlert:
    """An alert that the outbox says was sent, and what its recipient's mailbox holds."""

    to: str
    subject: str
    incident: str
    state: State
    read_back: bool
    text: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the story is judged by."""

    incidents: Sequence[Incident]
    alerts: Sequence[ReadAlert]
    removed_at: frozenset[str]  # providers where copies were removed after delivery
    blocked_at: frozenset[str]  # providers where a received link was blocked
    unsent: int  # alerts owed and not delivered


@dataclass(slots=True)
class Check:
    """One thing that must be true, in words, and whether it is."""

    says: str
    holds: bool
    because: str = field(default="")


def check(facts: Facts) -> list[Check]:
    """Hold the story against what it should be."""
    provider = [i for i in facts.incidents if _is_the_providers(i)]
    sender = [i for i in facts.incidents if _is_the_senders(i)]
    others = [i for i in facts.incidents if i not in provider and i not in sender]
    return [
        Check(
            f"one incident names {PROVIDER} and url:{BLAMED_LINK}",
            len(provider) == 1,
            _told(facts.incidents),
        ),
        Check("it was confirmed, and closed when the scenario healed", _has_healed(provider)),
        Check(
            f"one incident names the sender {IN_TROUBLE}",
            len(sender) == 1 and State.CONFIRMED in sender[0].states,
            _told(facts.incidents),
        ),
        Check("nobody else is blamed", not others, _told(others)),
        Check(
            f"copies were removed after delivery at {PROVIDER} and nowhere else",
            facts.removed_at == {PROVIDER},
            ", ".join(sorted(facts.removed_at)),
        ),
        Check(
            f"a received link was blocked at {PROVIDER} and nowhere else",
            facts.blocked_at == {PROVIDER},
            ", ".join(sorted(facts.blocked_at)),
        ),
        Check(
            "each sender concerned found its warning and its recovery mail, nobody else any",
            _mail_is_right(facts, provider, sender),
            f"{len(facts.alerts)} alerts, {facts.unsent} unsent",
        ),
    ]


def _is_the_providers(incident: Incident) -> bool:
    latest = incident.latest
    return (
        latest.cause is Cause.PROVIDER_FEATURE
        and latest.provider == PROVIDER
        and latest.feature == f"url:{BLAMED_LINK}"
    )


def _is_the_senders(incident: Incident) -> bool:
    latest = incident.latest
    return latest.cause is Cause.SENDER and latest.sender == IN_TROUBLE


def _has_healed(incidents: Sequence[Incident]) -> bool:
    return any(State.CONFIRMED in i.states and i.state is State.CLOSED for i in incidents)


def _mail_is_right(facts: Facts, provider: Sequence[Incident], sender: Sequence[Incident]) -> bool:
    """Every alert was found in its mailbox, and who is told of what is whom it concerns.

    Whoever was hit early is told once more when many others are.
    """
    told = [(a.to, a.incident, a.state) for a in facts.alerts if a.read_back]
    due = [
        (player.route, incident.id, state)
        for incident in provider
        for player in HIT
        for state in (State.CONFIRMED, State.CLOSED)
    ]
    due += [
        (f"{IN_TROUBLE.partition('.')[0]}@inbox.lab.example", incident.id, State.CONFIRMED)
        for incident in sender
    ]
    return facts.unsent == 0 and set(told) == set(due) and len(told) == len(facts.alerts)


def _told(incidents: Sequence[Incident]) -> str:
    return "; ".join(f"{i.latest.cause}: {i.latest.sentence}" for i in incidents)
