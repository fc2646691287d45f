"""When did it start, and whom does it hit? Read from the clusters of a claim."""

import math
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np

from monitor.core.incidents import Cause
from monitor.judge.claims import FEWEST_VICTIMS, REGION, Claim, Family, Suspicion
from monitor.judge.clusters import SETTLE_H
from monitor.judge.columns import probabilities
from monitor.judge.losses import all_losses, reliefs
from monitor.judge.memory import WINDOW_H, Memory
from monitor.judge.table import (
    ARRIVAL,
    AT,
    EASER,
    EVERYWHERE,
    EXPLAINER,
    IN_TROUBLE,
    IS_BLIND,
    LAST,
    MOVED,
    NOBODY,
    SENDER,
    SENT,
    Floats,
    Mask,
    Rows,
)

MOST_GOOD, MOST_BAD = 2.3, 3.4  # nats that one campaign can say for the end, or against it
UNKNOWN_BEFORE_H = 24.0  # how long before the first bad cluster it may have begun unseen
REMOVED_SHARE = 0.2  # of what is lost, from which removal is what an incident does
OUTSIDE = 0.1  # probability that it began outside the bounds that are told
MOST_HIT = 0.95  # share of senders that an incident is taken to hit, at most
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
    """When an incident began: between *low* and *high*; *first* is the first mail hit."""

    low: float
    first: float
    high: float


def signs(
    memory: Memory, claim: Claim, now: float, *, by_removal: bool, since: float = -math.inf
) -> Signs:
    """Every cluster that *claim* covers, in order of time.

    Args:
        by_removal: mail may be taken away after it has arrived ...
        since: ... as what was lost since then tells; by default all that is known.
    """
    table = memory.table
    rows = memory.covered(claim)
    rows = rows[now - table.number(AT, rows) <= WINDOW_H]
    known = ~np.isnan(table.number(ARRIVAL, rows))
    if claim.cause is Cause.MONITOR:
        found = _blind(memory, rows[known | table.flag(IS_BLIND, rows)])
    elif claim.is_better:
        found = _milder(memory, rows[known])
    elif claim.feature is not None and claim.feature.startswith(REGION):
        found = _of_region(memory, claim, rows[known])
    else:
        found = _ordinary(memory, claim, rows[known], since if by_removal else None)
    return found.where(np.argsort(found.at, kind="stable"))


def _blind(memory: Memory, rows: Rows) -> Signs:
    """All clusters as signs of a monitor that cannot see, those without any news too."""
    table = memory.table
    blind = table.flag(IS_BLIND, rows)
    seen = _ordinary(memory, Claim(Cause.MONITOR), rows[~blind], None)
    unseen = rows[blind]
    return Signs(
        memory,
        np.concatenate([seen.rows, unseen]),
        np.concatenate([seen.at, table.number(SENT, unseen)]),
        np.concatenate([seen.loss, np.full(len(unseen), BLIND)]),
    )


def _milder(memory: Memory, rows: Rows) -> Signs:
    """Signs of a filter that has become milder: mail that is lost as usual speaks against it."""
    relief, partial = reliefs(memory, rows), reliefs(memory, rows, partial=True)
    sent = memory.table.number(SENT, rows)
    order = np.argsort(sent, kind="stable")
    if _is_partial(memory, rows[order], relief[order], partial[order]):
        relief = np.maximum(relief, partial)
    return Signs(memory, rows, sent, relief)


def _of_region(memory: Memory, claim: Claim, rows: Rows) -> Signs:
    region = (claim.feature or "").removeprefix(REGION)
    ratios = memory.table.regional(claim.provider or "", region, rows)
    return Signs(memory, rows, memory.table.number(SENT, rows), ratios)


def _ordinary(memory: Memory, claim: Claim, rows: Rows, removed_since: float | None) -> Signs:
    table = memory.table
    coupled = claim.family is Family.PROVIDER or claim.cause is Cause.SENDER_AT_PROVIDER
    everywhere = probabilities(table.number(EVERYWHERE, rows)) if coupled else 0.0
    found = all_losses(memory, rows, everywhere)
    loss, partial = found.wholly, found.partly
    sent, moved = table.number(SENT, rows), table.number(MOVED, rows)
    later = ~np.isnan(moved) & ~found.on_arrival
    at = np.where(later, moved, sent)
    keep = np.ones(len(rows), dtype=bool)
    if removed_since is not None:
        # Younger mail that is still there may yet be taken away, and so says nothing; what
        # is lost on arrival then, by chance, must not speak alone.
        settles = _settles(memory, rows, later, (loss > 0) & (at >= removed_since))
        keep = later | (table.number(LAST, rows) - sent >= settles)
    rows, loss, partial, at = rows[keep], loss[keep], partial[keep], at[keep]
    order = np.argsort(at, kind="stable")
    if _is_partial(memory, rows[order], loss[order], partial[order]):
        loss = np.maximum(loss, partial)
    return Signs(memory, rows, at, loss)


def _settles(memory: Memory, rows: Rows, later: Mask, lost: Mask) -> float:
    """Hours after which mail that is still there may be taken for spared; 0 if at once.

    Half of what was removed so far was gone by then; younger mail says nothing yet. Of
    what is lost, a fifth must be lost so: here and there something is removed anyway.
    """
    table = memory.table
    removed = later & lost
    if removed.sum() < REMOVED_SHARE * max(1, lost.sum()):
        return 0.0
    delays = (table.number(MOVED, rows) - table.number(SENT, rows))[removed]
    return max(SETTLE_H, float(np.median(delays)))


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
    """The change-point: the time since when the signs say most for the claim.

    Only senders that have been hit are asked: the others say nothing about when. One of
    several may have been in trouble of its own: what it loses counts as far as it was not
    known to be. The bounds hold nine tenths of what is likely, where the trouble is as
    likely to begin in any hour.
    """
    recent = found.where(now - found.at <= window_h + UNKNOWN_BEFORE_H)
    senders = recent.memory.table.key(SENDER, recent.rows)
    asked = _in_view(recent.where(np.isin(senders, senders[recent.loss > 0])))
    totals = asked.units.sum(axis=1)
    return _bounded(asked.at, totals) if len(totals) and totals.max() > 0 else None


def revised(found: Signs, began: Start, opened: float) -> Start:
    """The start of an incident that was *opened* then, with what those spared say as well.

    They speak against each start that their good mail is later than, as far as they would
    have been hit: as often as those are that were heard of since it *began*.
    """
    asked = _in_view(found.where(found.at >= began.low - UNKNOWN_BEFORE_H))
    since = asked.units[np.searchsorted(asked.at, began.first) :][:1]
    heard, hit = int((since != 0).sum()), int((since > 0).sum())
    known = int(np.searchsorted(asked.at, opened, side="right"))
    if not hit or not known:
        return began
    share = min(MOST_HIT, hit / heard)
    units = np.logaddexp(math.log(share) + asked.units, math.log1p(-share))
    return _bounded(asked.at[:known], units.sum(axis=1)[:known])


@dataclass(frozen=True, slots=True)
class _View:
    """Campaigns in order of time, and what each sender's mail says from each of them on."""

    at: Floats
    units: Floats  # campaigns x senders


def _in_view(asked: Signs) -> _View:
    senders = list(dict.fromkeys(asked.senders))
    if len(senders) > 1:
        known = asked.memory.table.number(IN_TROUBLE, asked.rows)
        lost = np.where(asked.loss > 0, asked.loss * (1 - known), asked.loss)
        asked = replace(asked, loss=lost)
    told = campaigns(asked, frozenset(senders), -math.inf)[::-1]
    place = {sender: number for number, sender in enumerate(senders)}
    units = np.zeros((len(told), len(senders)))
    for number, (_, sender, loss) in enumerate(told):
        units[number, place[sender]] = loss
    at = np.array([campaign[0] for campaign in told])
    return _View(at, np.cumsum(units[::-1], axis=0)[::-1])


def _bounded(at: Floats, totals: Floats) -> Start:
    """The likeliest start and its bounds, from what is to be said for each campaign's hour."""
    best = len(totals) - 1 - int(totals[::-1].argmax())
    spans = np.diff(at, prepend=at[0] - UNKNOWN_BEFORE_H)
    shares = np.cumsum(spans * np.exp(totals - totals.max()))
    shares /= shares[-1]
    lowest, highest = np.searchsorted(shares, (OUTSIDE / 2, 1 - OUTSIDE / 2)).tolist()
    low = float(at[min(lowest, best)] - spans[min(lowest, best)])
    first, high = float(at[best]), float(at[max(highest, best)])
    return Start(max(low, first - WINDOW_H), first, high)


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


def scene(
    memory: Memory, suspicion: Suspicion, now: float, *, since: float = -math.inf, beside: str = ""
) -> Scene | None:
    """Look at the mail that *suspicion* is about; None if it cannot be upheld there.

    Losses that another incident explains are that one's.

    Args:
        since: earlier mail tells of other trouble, that has ended.
        beside: the incident that is to make this claim, if there is one already.
    """
    recent = now - suspicion.window_h
    told = signs(memory, suspicion.claim, now, by_removal=suspicion.by_removal, since=recent)
    is_better = suspicion.claim.is_better
    found = unexplained(told.where(told.at >= since), beside, is_better=is_better)
    began = start(found, now, suspicion.window_h)
    if began is None:
        return None
    hit = victims(found, began.first, math.inf)
    fewest = FEWEST_VICTIMS if suspicion.claim.family is Family.PROVIDER else 1
    return Scene(found, began, hit) if len(hit) >= fewest else None


def unexplained(told: Signs, beside: str, *, is_better: bool = False) -> Signs:
    """Leave out losses, or mail that arrives, which another incident than *beside* explains."""
    table = told.memory.table
    by = table.key(EASER if is_better else EXPLAINER, told.rows)
    return told.where((told.loss <= 0) | (by == NOBODY) | (by == table.incident(beside)))


def campaigns(found: Signs, hit: frozenset[str], since: float) -> list[tuple[float, str, float]]:
    """Hour, sender and bounded loss of each campaign, newest first."""
    recent = found.where(found.at >= since)
    tests: dict[str, tuple[float, str, float]] = {}
    clusters = recent.memory.clusters(recent.rows)
    for cluster, at, loss in zip(clusters, recent.at.tolist(), recent.loss.tolist(), strict=True):
        if cluster.sender in hit:
            first, _, before = tests.get(cluster.test, (at, "", 0.0))
            tests[cluster.test] = (first, cluster.sender, before + loss)
    told = tests.values()
    bounded = [(at, sender, max(-MOST_GOOD, min(MOST_BAD, loss))) for at, sender, loss in told]
    return sorted(bounded, key=lambda campaign: -campaign[0])
