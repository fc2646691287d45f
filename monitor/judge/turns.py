"""Is it over, or has it come back? Read from the mail of those hit."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from monitor.judge.clusters import SETTLE_H
from monitor.judge.table import SENT
from monitor.judge.trend import Signs, campaigns, victims

MOST_SENDER = 4.6  # nats that one sender of several can say: two campaigns


@dataclass(frozen=True, slots=True)
class Turn:
    """The evidence that things have changed, and since when."""

    evidence: float = 0.0
    since: float = 0.0
    campaigns: int = 0


NO_TURN = Turn()


def by_sending(found: Signs) -> Signs:
    """The same, in order of sending: what is removed after an end was sent before it."""
    sent = found.memory.table.number(SENT, found.rows)
    return replace(found, at=sent).where(np.argsort(sent, kind="stable"))


def witnesses(found: Signs, hit: Iterable[str], since: float, *, new: bool) -> list[str]:
    """Whose mail tells of an end: of senders *hit*, those that still were while it lasted.

    Who lost a campaign by chance has good mail all along, which would seem to be an end.

    Args:
        since: when it began; it lasted until the latest loss.
        new: senders that were not heard of while it lasted as well.
    """
    named = frozenset(hit)
    lost = found.at[found.loss > 0]
    until = float(lost.max()) + SETTLE_H if len(lost) else since
    still = [sender for sender in victims(found, since, until) if sender in named] or [*named]
    if not new:
        return still
    during = frozenset(found.where((found.at >= since) & (found.at < until)).senders)
    return still + [s for s in dict.fromkeys(found.senders) if s not in during and s not in named]


def end(found: Signs, hit: Iterable[str], since: float) -> Turn:
    """The best evidence that the trouble of the senders *hit* has ended after *since*."""
    return _turn(found, frozenset(hit), since, -1.0)


def relapse(found: Signs, hit: Iterable[str], since: float) -> Turn:
    """The best evidence that it has come back after *since*."""
    return _turn(found, frozenset(hit), since, 1.0)


def _turn(found: Signs, hit: frozenset[str], since: float, direction: float) -> Turn:
    return turn(campaigns(found, hit, since), direction, several=len(hit) > 1)


def turn(told: Iterable[tuple[float, str, float]], direction: float, *, several: bool) -> Turn:
    """Over all moments: how much the signs after it speak for a change.

    A campaign is one piece of evidence at however many providers it was seen, and a
    sender of several can say only so much.

    Args:
        told: hour, sender and bounded loss of each campaign, newest first.
        direction: -1 for an end, 1 for a relapse.
        several: are they of more than one sender?
    """
    most = MOST_SENDER if several else math.inf
    by_sender: dict[str, float] = {}
    best, total = NO_TURN, 0.0
    for number, (at, sender, loss) in enumerate(told, start=1):
        before = by_sender.get(sender, 0.0)
        by_sender[sender] = after = before + direction * loss
        total += max(-most, min(most, after)) - max(-most, min(most, before))
        if total > best.evidence:
            best = Turn(total, at, number)
    return best
