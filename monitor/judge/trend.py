"""When did it start, whom does it hit, and is it over? Read from the clusters of a claim."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from statistics import median

from monitor.core.incidents import Cause
from monitor.judge.claims import FEWEST_VICTIMS, REGION, Claim, Family, Suspicion
from monitor.judge.clusters import SETTLE_H, Cluster
from monitor.judge.memory import WINDOW_H, Memory

MOST_GOOD, MOST_BAD = 2.3, 3.4  # nats that one campaign can say for the end, or against it
MOST_SENDER = 4.6  # nats that one sender of several can say: two campaigns
UNKNOWN_BEFORE_H = 24.0  # how long before the first bad cluster it may have begun unseen
BLIND = MOST_BAD  # what a cluster that could not be looked at says for a blind monitor


@dataclass(frozen=True, slots=True)
class Sign:
    """What one cluster says for a claim: *loss* above 0 speaks for it."""

    cluster: Cluster
    at: float  # when its mail met the cause
    loss: float  # if the cause takes most of the copies
    partial: float  # if it takes a third of them


@dataclass(frozen=True, slots=True)
class Start:
    """When an incident began: hours of the first mail hit, and of the last mail spared."""

    low: float
    high: float


def signs(memory: Memory, claim: Claim, now: float, *, by_removal: bool) -> list[Sign]:
    """Every cluster that *claim* covers, in order of time."""
    covered = [c for c in _near(memory, claim) if claim.covers(c) and now - c.at <= WINDOW_H]
    settles = _settles(covered) if by_removal else 0.0
    found = [_sign(claim, cluster, settles) for cluster in covered]
    told = sorted((sign for sign in found if sign is not None), key=lambda sign: sign.at)
    if not _is_partial(told):
        return told
    return [replace(sign, loss=max(sign.loss, sign.partial)) for sign in told]


def _settles(covered: Iterable[Cluster]) -> float:
    """Hours after which mail that is still there may be taken for spared.

    Half of what was removed so far was gone by then; younger mail says nothing yet.
    """
    delays = [c.moved - c.sent for c in covered if c.is_bad and c.moved is not None]
    return max(SETTLE_H, median(delays)) if delays else SETTLE_H


def _is_partial(told: list[Sign]) -> bool:
    """Does the trouble take but a part of each cluster? Asked of the mail up to its last loss."""
    losses = [index for index, sign in enumerate(told) if max(sign.loss, sign.partial) > 0]
    if not losses:
        return False
    victims = {told[index].cluster.sender for index in losses}
    asked = [s for s in told[losses[0] : losses[-1] + 1] if s.cluster.sender in victims]
    return sum(s.partial for s in asked) > sum(s.loss for s in asked)


def _near(memory: Memory, claim: Claim) -> Iterable[Cluster]:
    if claim.provider is not None:
        return memory.at_provider(claim.provider)
    if claim.sender is not None:
        return (c for trial in memory.of_sender(claim.sender) for c in trial.clusters.values())
    return memory


def _sign(claim: Claim, cluster: Cluster, settles: float) -> Sign | None:
    if claim.cause is Cause.MONITOR and (cluster.is_blind or cluster.arrival is None):
        return Sign(cluster, cluster.sent, BLIND, BLIND) if cluster.is_blind else None
    if cluster.arrival is None:
        return None
    if claim.feature is not None and claim.feature.startswith(REGION):
        ratio = cluster.regional[claim.feature.removeprefix(REGION)]
        return Sign(cluster, cluster.sent, ratio, ratio)
    coupled = claim.family is Family.PROVIDER or claim.cause is Cause.SENDER_AT_PROVIDER
    everywhere = cluster.fails_everywhere if coupled else 0.0
    loss, partial = cluster.loss(everywhere), cluster.loss(everywhere, partial=True)
    if loss < 0 and cluster.last - cluster.sent < settles:
        return None  # it may still be taken away
    later = cluster.moved is not None and cluster.arrival.loss(everywhere) <= 0
    met = cluster.moved if later and cluster.moved is not None else cluster.sent
    return Sign(cluster, met, loss, partial)


def start(found: list[Sign], now: float, window_h: float) -> Start | None:
    """The change-point: the latest time since when the signs say most for the claim.

    Only senders that have been hit are asked: the others say nothing about when.
    """
    recent = [sign for sign in found if now - sign.at <= window_h + UNKNOWN_BEFORE_H]
    victims = {sign.cluster.sender for sign in recent if sign.loss > 0}
    asked = [sign for sign in recent if sign.cluster.sender in victims]
    best, total, first = 0.0, 0.0, None
    for index in range(len(asked) - 1, -1, -1):
        total += asked[index].loss
        if total > best:
            best, first = total, index
    if first is None:
        return None
    high = asked[first].at
    low = asked[first - 1].at if first else high - UNKNOWN_BEFORE_H
    return Start(max(low, high - WINDOW_H), high)


def victims(found: Iterable[Sign], since: float, until: float) -> list[str]:
    """Senders whose mail was hit between two hours, those hit first first."""
    total: dict[str, float] = {}
    for sign in found:
        if since <= sign.at < until:
            sender = sign.cluster.sender
            total[sender] = total.get(sender, 0.0) + sign.loss
    return [sender for sender, loss in total.items() if loss > 0]


@dataclass(frozen=True, slots=True)
class Scene:
    """What a suspicion says of its mail: every sign, the start and the senders hit."""

    found: list[Sign]
    start: Start
    victims: list[str]


def scene(memory: Memory, suspicion: Suspicion, now: float, *, beside: str = "") -> Scene | None:
    """Look at the mail that *suspicion* is about; None if it cannot be upheld there.

    Losses that another incident explains are that one's.

    Args:
        beside: the incident that is to make this claim, if there is one already.
    """
    told = signs(memory, suspicion.claim, now, by_removal=suspicion.by_removal)
    found = [s for s in told if s.loss <= 0 or not s.cluster.explained.keys() - {beside}]
    began = start(found, now, suspicion.window_h)
    if began is None:
        return None
    hit = victims(found, began.high, math.inf)
    fewest = FEWEST_VICTIMS if suspicion.claim.family is Family.PROVIDER else 1
    return Scene(found, began, hit) if len(hit) >= fewest else None


@dataclass(frozen=True, slots=True)
class Turn:
    """The evidence that things have changed, and since when."""

    evidence: float = 0.0
    since: float = 0.0
    campaigns: int = 0


NO_TURN = Turn()


def end(found: list[Sign], hit: Iterable[str], since: float) -> Turn:
    """The best evidence that the trouble of the senders *hit* has ended after *since*."""
    return _turn(found, frozenset(hit), since, -1.0)


def relapse(found: list[Sign], hit: Iterable[str], since: float) -> Turn:
    """The best evidence that it has come back after *since*."""
    return _turn(found, frozenset(hit), since, 1.0)


def _turn(found: list[Sign], hit: frozenset[str], since: float, direction: float) -> Turn:
    """Over all moments after *since*: how much the signs after it speak for a change.

    A campaign is one piece of evidence at however many providers it was seen, and a
    sender of several can say only so much.
    """
    most = MOST_SENDER if len(hit) > 1 else math.inf
    by_sender: dict[str, float] = {}
    best = Turn()
    for campaigns, (at, sender, loss) in enumerate(_campaigns(found, hit, since), start=1):
        by_sender[sender] = by_sender.get(sender, 0.0) + direction * loss
        total = sum(max(-most, min(most, value)) for value in by_sender.values())
        if total > best.evidence:
            best = Turn(total, at, campaigns)
    return best


def _campaigns(
    found: list[Sign], hit: frozenset[str], since: float
) -> list[tuple[float, str, float]]:
    """Hour, sender and bounded loss of each campaign, newest first."""
    tests: dict[str, tuple[float, str, float]] = {}
    for sign in found:
        cluster = sign.cluster
        if cluster.sender in hit and sign.at >= since:
            at, _, loss = tests.get(cluster.test, (sign.at, "", 0.0))
            tests[cluster.test] = (at, cluster.sender, loss + sign.loss)
    bounded = [
        (at, sender, max(-MOST_GOOD, min(MOST_BAD, loss))) for at, sender, loss in tests.values()
    ]
    return sorted(bounded, key=lambda campaign: -campaign[0])
