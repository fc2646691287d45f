"""When did it start, whom does it hit, and is it over? Read from the clusters of a claim."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from monitor.core.incidents import Cause
from monitor.judge.claims import FEWEST_VICTIMS, REGION, Claim, Family, Suspicion
from monitor.judge.clusters import SETTLE_H
from monitor.judge.losses import either, losses
from monitor.judge.memory import WINDOW_H, Memory
from monitor.judge.scan import probabilities
from monitor.judge.table import (
    ARRIVAL,
    AT,
    EVERYWHERE,
    IS_BAD,
    IS_BLIND,
    LAST,
    MOVED,
    SENDER,
    SENT,
    Floats,
    Mask,
    Rows,
)

MOST_GOOD, MOST_BAD = 2.3, 3.4  # nats that one campaign can say for the end, or against it
MOST_SENDER = 4.6  # nats that one sender of several can say: two campaigns
UNKNOWN_BEFORE_H = 24.0  # how long before the first bad cluster it may have begun unseen
BLIND = MOST_BAD  # what a cluster that could not be looked at says for a blind monitor


@dataclass(frozen=True, slots=True)
class Signs:
    """What each cluster of a claim says for it, in order of time, as arrays of one length."""

    memory: Memory
    rows: Rows
    at: Floats  # when its mail met the cause
    loss: Floats  # above 0: speaks for the claim

    def where(self, keep: Mask | Rows) -> Self:
        arrays = {f.name: getattr(self, f.name)[keep] for f in fields(self) if f.name != "memory"}
        return type(self)(self.memory, **arrays)

    @property
    def senders(self) -> list[str]:
        return [cluster.sender for cluster in self.memory.clusters(self.rows)]

    @property
    def tests(self) -> list[str]:
        return [cluster.test for cluster in self.memory.clusters(self.rows)]


@dataclass(frozen=True, slots=True)
class Start:
    """When an incident began: hours of the first mail hit, and of the last mail spared."""

    low: float
    high: float


def signs(memory: Memory, claim: Claim, now: float, *, by_removal: bool) -> Signs:
    """Every cluster that *claim* covers, in order of time."""
    table = memory.table
    rows = memory.covered(claim)
    rows = rows[now - table.number(AT, rows) <= WINDOW_H]
    known = ~np.isnan(table.number(ARRIVAL, rows))
    if claim.cause is Cause.MONITOR:
        found = _blind(memory, rows[known | table.flag(IS_BLIND, rows)])
    elif claim.feature is not None and claim.feature.startswith(REGION):
        found = _of_region(memory, claim, rows[known])
    else:
        found = _ordinary(memory, claim, rows[known], by_removal=by_removal)
    return found.where(np.argsort(found.at, kind="stable"))


def _blind(memory: Memory, rows: Rows) -> Signs:
    """All clusters as signs of a monitor that cannot see, those without any news too."""
    table = memory.table
    blind = table.flag(IS_BLIND, rows)
    seen = _ordinary(memory, Claim(Cause.MONITOR), rows[~blind], by_removal=False)
    unseen = rows[blind]
    return Signs(
        memory,
        np.concatenate([seen.rows, unseen]),
        np.concatenate([seen.at, table.number(SENT, unseen)]),
        np.concatenate([seen.loss, np.full(len(unseen), BLIND)]),
    )


def _of_region(memory: Memory, claim: Claim, rows: Rows) -> Signs:
    region = (claim.feature or "").removeprefix(REGION)
    ratios = memory.table.regional(claim.provider or "", region, rows)
    return Signs(memory, rows, memory.table.number(SENT, rows), ratios)


def _ordinary(memory: Memory, claim: Claim, rows: Rows, *, by_removal: bool) -> Signs:
    table = memory.table
    coupled = claim.family is Family.PROVIDER or claim.cause is Cause.SENDER_AT_PROVIDER
    everywhere = probabilities(table.number(EVERYWHERE, rows)) if coupled else 0.0
    loss = either(memory, rows, everywhere)
    partial = either(memory, rows, everywhere, partial=True)
    sent, moved = table.number(SENT, rows), table.number(MOVED, rows)
    # Younger mail that is still there may yet be taken away.
    settles = _settles(memory, rows) if by_removal else 0.0
    keep = (loss >= 0) | (table.number(LAST, rows) - sent >= settles)
    on_arrival = losses(table.likelihood(ARRIVAL, rows), everywhere) > 0
    at = np.where(np.isnan(moved) | on_arrival, sent, moved)[keep]
    rows, loss, partial = rows[keep], loss[keep], partial[keep]
    order = np.argsort(at, kind="stable")
    if _is_partial(memory, rows[order], loss[order], partial[order]):
        loss = np.maximum(loss, partial)
    return Signs(memory, rows, at, loss)


def _settles(memory: Memory, rows: Rows) -> float:
    """Hours after which mail that is still there may be taken for spared.

    Half of what was removed so far was gone by then; younger mail says nothing yet.
    """
    table = memory.table
    delays = (table.number(MOVED, rows) - table.number(SENT, rows))[table.flag(IS_BAD, rows)]
    delays = delays[~np.isnan(delays)]
    return max(SETTLE_H, float(np.median(delays))) if len(delays) else SETTLE_H


def _is_partial(memory: Memory, rows: Rows, loss: Floats, partial: Floats) -> bool:
    """Does the trouble take but a part of each cluster? Asked of the mail up to its last loss."""
    lost = np.flatnonzero(np.maximum(loss, partial) > 0)
    if not len(lost):
        return False
    senders = memory.table.key(SENDER, rows)
    asked = slice(lost[0], lost[-1] + 1)
    among = np.isin(senders[asked], senders[lost])
    return bool(partial[asked][among].sum() > loss[asked][among].sum())


def start(found: Signs, now: float, window_h: float) -> Start | None:
    """The change-point: the latest time since when the signs say most for the claim.

    Only senders that have been hit are asked: the others say nothing about when.
    """
    recent = found.where(now - found.at <= window_h + UNKNOWN_BEFORE_H)
    senders = found.memory.table.key(SENDER, recent.rows)
    asked = recent.where(np.isin(senders, senders[recent.loss > 0]))
    if not len(asked.at):
        return None
    totals = np.cumsum(asked.loss[::-1])
    best = int(totals.argmax())
    if totals[best] <= 0:
        return None
    first = len(totals) - 1 - best
    high = float(asked.at[first])
    low = float(asked.at[first - 1]) if first else high - UNKNOWN_BEFORE_H
    return Start(max(low, high - WINDOW_H), high)


def victims(found: Signs, since: float, until: float) -> list[str]:
    """Senders whose mail was hit between two hours, those hit first first."""
    during = found.where((found.at >= since) & (found.at < until))
    total: dict[str, float] = {}
    for sender, loss in zip(during.senders, during.loss.tolist(), strict=True):
        total[sender] = total.get(sender, 0.0) + loss
    return [sender for sender, loss in total.items() if loss > 0]


@dataclass(frozen=True, slots=True)
class Scene:
    """What a suspicion says of its mail: every sign, the start and the senders hit."""

    found: Signs
    start: Start
    victims: list[str]


def scene(memory: Memory, suspicion: Suspicion, now: float, *, beside: str = "") -> Scene | None:
    """Look at the mail that *suspicion* is about; None if it cannot be upheld there.

    Losses that another incident explains are that one's.

    Args:
        beside: the incident that is to make this claim, if there is one already.
    """
    told = signs(memory, suspicion.claim, now, by_removal=suspicion.by_removal)
    of_others = [bool(c.explained.keys() - {beside}) for c in memory.clusters(told.rows)]
    found = told.where((told.loss <= 0) | ~np.array(of_others, dtype=bool))
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


def end(found: Signs, hit: Iterable[str], since: float) -> Turn:
    """The best evidence that the trouble of the senders *hit* has ended after *since*."""
    return _turn(found, frozenset(hit), since, -1.0)


def relapse(found: Signs, hit: Iterable[str], since: float) -> Turn:
    """The best evidence that it has come back after *since*."""
    return _turn(found, frozenset(hit), since, 1.0)


def _turn(found: Signs, hit: frozenset[str], since: float, direction: float) -> Turn:
    return turn(_campaigns(found, hit, since), direction, several=len(hit) > 1)


def turn(campaigns: Iterable[tuple[float, str, float]], direction: float, *, several: bool) -> Turn:
    """Over all moments: how much the signs after it speak for a change.

    A campaign is one piece of evidence at however many providers it was seen, and a
    sender of several can say only so much.

    Args:
        campaigns: hour, sender and bounded loss of each, newest first.
        direction: -1 for an end, 1 for a relapse.
        several: are they of more than one sender?
    """
    most = MOST_SENDER if several else math.inf
    by_sender: dict[str, float] = {}
    best, total = NO_TURN, 0.0
    for number, (at, sender, loss) in enumerate(campaigns, start=1):
        before = by_sender.get(sender, 0.0)
        by_sender[sender] = after = before + direction * loss
        total += max(-most, min(most, after)) - max(-most, min(most, before))
        if total > best.evidence:
            best = Turn(total, at, number)
    return best


def _campaigns(found: Signs, hit: frozenset[str], since: float) -> list[tuple[float, str, float]]:
    """Hour, sender and bounded loss of each campaign, newest first."""
    recent = found.where(found.at >= since)
    tests: dict[str, tuple[float, str, float]] = {}
    clusters = recent.memory.clusters(recent.rows)
    for cluster, at, loss in zip(clusters, recent.at.tolist(), recent.loss.tolist(), strict=True):
        if cluster.sender in hit:
            first, _, before = tests.get(cluster.test, (at, "", 0.0))
            tests[cluster.test] = (first, cluster.sender, before + loss)
    bounded = [
        (at, sender, max(-MOST_GOOD, min(MOST_BAD, loss))) for at, sender, loss in tests.values()
    ]
    return sorted(bounded, key=lambda campaign: -campaign[0])
