"""Claims beyond one provider and one sender: an ESP, a feature everywhere, our own monitor.

The unit is the sender, over all its providers: its own collapse belongs to the null, so
that no single sender can carry such a claim.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.core.incidents import Cause
from monitor.judge.claims import ESP, Claim, Suspicion
from monitor.judge.columns import explained
from monitor.judge.likelihood import log_add
from monitor.judge.losses import beyond, either
from monitor.judge.memory import FAILS_EVERYWHERE, Memory, Trial
from monitor.judge.scan import WINDOWS, oldest_bad
from monitor.judge.sender_side import COLLAPSES_PER_DAY
from monitor.judge.table import (
    AT,
    EXPLAINED,
    IS_BAD,
    IS_WIDELY_BAD,
    SENDER,
    TRIAL,
    WAY,
    Floats,
    Mask,
    Rows,
    firsts,
    numbered,
)

SPANS = WINDOWS[:7]  # hours since the start; common causes are found within two days or not
# One service that loses mail, and a monitor that does not see it, are held equally likely:
# only mail sent otherwise tells the two apart.
ESP_FAILS_PER_DAY = 1 / 240
MONITOR_MISSES_PER_DAY = 1 / 240
FEATURE_FAILS_PER_DAY = 1 / 60  # any of those that senders share: as often as a provider
MONITOR_FAILS_PER_DAY = 1 / 60  # so that nothing can be looked for
FEWEST_FEATURES = 4
HIT = 0.95  # share of the units that such a cause hits
FIRST_VICTIMS = 8  # campaigns, whose features may be to blame rather than the monitor
GAINS = 1.0  # nats by which a sender must be better explained, ...
SENDERS = 2  # ... and how many such senders a common cause needs
FEWEST_PROVIDERS = 3
WELL_EXPLAINED = 0.75  # by another incident: such mail says nothing for this one
LARGEST_VOTE = 3.0  # nats: odds of twenty
USUAL_CLUSTERS = 10.0  # that the rough figures below count as, among those seen
BLIND_H = 4.0  # how long we look back for providers that cannot be read
BLIND_TESTS = 3  # the newest of each provider, which must all be unknown
BLIND_BY_CHANCE, BLIND_BY_CAUSE = 0.02, 0.95

_DAYS = np.log(np.diff(SPANS, prepend=0.0) / 24)  # from one start to the next

SAME_WAY = 0.9  # of a cause's losses; a cause loses mail in one way as long as it lasts
# How mail is lost, by cause: spam, quarantine, missing, rejected. Rough figures, but what is
# usual is learnt. A sender has one vote, and none is worth more than 3 nats.
USUAL_WAYS = (0.74, 0.04, 0.08, 0.14)
WAYS: Mapping[Cause, tuple[float, ...]] = {
    Cause.ESP: (0.10, 0.05, 0.55, 0.30),
    Cause.CONTENT: (0.60, 0.10, 0.20, 0.10),
    Cause.MONITOR: (0.005, 0.005, 0.98, 0.01),
}


def is_widely_bad(trial: Trial) -> bool:
    """Does a campaign fail at so many providers that a common cause is worth a thought?"""
    known = [c.arrival.is_bad for c in trial.clusters.values() if c.arrival is not None]
    return sum(known) >= min(FEWEST_PROVIDERS, max(2, len(known))) and 2 * sum(known) >= len(known)


def suspect(
    memory: Memory,
    now: float,
    features: Iterable[str],
    *,
    apart: frozenset[str],
    beside: str = "",
) -> list[Suspicion]:
    """Return the common causes that could be meant, the best first.

    Args:
        features: of the campaign that fails everywhere.
        apart: senders known to be in trouble of their own.
        beside: an open incident that is being judged anew, and must not explain itself.
    """
    table = _table(memory, now, apart, beside)
    among = math.log(max(FEWEST_FEATURES, memory.table.shared()))
    claims = [(Claim(Cause.MONITOR), math.log(MONITOR_MISSES_PER_DAY))]
    for feature in features:
        if feature.startswith(ESP):
            claim = Claim(Cause.ESP, esp=feature.removeprefix(ESP))
            claims.append((claim, math.log(ESP_FAILS_PER_DAY)))
        elif memory.table.is_shared(feature):
            claim = Claim(Cause.CONTENT, feature=feature)
            claims.append((claim, math.log(FEATURE_FAILS_PER_DAY) - among))
    found = []
    without = table.without()
    for claim, prior in claims:
        score, window_h = table.score(claim, without)
        found.append(Suspicion(claim, prior + score, window_h))
    return sorted(found, key=lambda s: -s.score)


def about(memory: Memory, claim: Claim, tests: Iterable[str]) -> list[str]:
    """What *claim* is about; if it is about all mail, what its first victims *tests* carry."""
    if claim.wanted is not None:
        return [claim.wanted]
    trials = [memory.trials.get(test) for test in islice(tests, FIRST_VICTIMS)]
    mail = (cluster for trial in trials if trial for cluster in trial.clusters.values())
    return [feature for cluster in mail for feature in cluster.features]


def blindness(memory: Memory, now: float) -> float:
    """Log odds that our monitor cannot see: the newest clusters of all providers are unknown."""
    newest: dict[str, list[bool]] = {}
    for cluster in memory:
        if now - cluster.last <= BLIND_H:
            newest.setdefault(cluster.provider, []).append(cluster.is_blind)
    blind = {provider: all(looks[-BLIND_TESTS:]) for provider, looks in newest.items()}
    if len(blind) < FEWEST_PROVIDERS:
        return -math.inf
    by_chance = math.log(BLIND_BY_CAUSE / BLIND_BY_CHANCE)
    otherwise = math.log((1 - BLIND_BY_CAUSE) / (1 - BLIND_BY_CHANCE))
    units = (by_chance if is_blind else otherwise for is_blind in blind.values())
    return math.log(MONITOR_FAILS_PER_DAY * BLIND_H / 24) + sum(units)


@dataclass(frozen=True, slots=True)
class _Table:
    """The clusters as arrays of one length: campaign, way in which it was lost, losses.

    Campaigns have arrays of their own: number of the sender, and window of age.
    """

    memory: Memory
    rows: Rows
    campaign: Rows
    way: NDArray[np.int64]  # in which it was lost; -1 if it was not
    loss: Floats
    usual: Floats  # shares of the ways in which mail is lost otherwise
    sender: Rows
    slot: Rows

    def without(self) -> "_Without":
        """What speaks for no common cause: campaigns die by themselves, or all of a sender's."""
        losses = np.asarray(np.bincount(self.campaign, self.loss), dtype=float)
        dies = np.logaddexp(math.log(FAILS_EVERYWHERE) + losses, math.log1p(-FAILS_EVERYWHERE))
        hit = np.logaddexp(math.log(HIT) + losses, math.log1p(-HIT))
        collapsed = np.log(COLLAPSES_PER_DAY * SPANS / 24)[:, None] + self._per_window(losses)
        return _Without(dies, hit, np.logaddexp(self._per_window(dies), collapsed))

    def score(self, claim: Claim, without: "_Without") -> tuple[float, float]:
        """Log likelihood ratio of *claim*, with its exposure, over its unknown start.

        Also the hours since the likeliest start, or more.
        """
        having = self._having(claim)
        bare = self._per_window(np.where(having, without.hit, without.dies)) - without.sums
        has_mail = self._per_window(having) > 0
        units = self._units(bare + self._votes(having), has_mail)
        often = np.log(WAYS[claim.cause])
        scores = _DAYS + np.logaddexp.reduce(often[:, None] + units)
        return log_add(*scores.tolist()), float(SPANS[scores.argmax()])

    @staticmethod
    def _units(gains: Floats, has_mail: Mask) -> Floats:
        """Ways x windows: what all senders say, if enough of them say anything."""
        units = np.where(has_mail, np.logaddexp(np.log(HIT) + gains, np.log1p(-HIT)), 0.0)
        enough = np.count_nonzero((gains > GAINS) & has_mail, axis=2) >= SENDERS
        return np.where(enough, units.sum(axis=2), -np.inf)

    def _having(self, claim: Claim) -> Mask:
        """Which campaigns carry what the claim is about?"""
        if claim.wanted is None:
            return np.ones(len(self.sender), dtype=bool)
        having = self.memory.table.having([claim.wanted], self.rows)[0]
        return np.bincount(self.campaign, having) > 0

    def _votes(self, having: Mask) -> Floats:
        """Ways x windows x senders: what the losses say, if the cause loses mail in each way."""
        at = np.flatnonzero(having[self.campaign] & (self.way >= 0) & (self.loss > 0))
        campaign, way = self.campaign[at], self.way[at]
        voting = np.bincount(campaign, minlength=len(self.sender))
        votes = np.maximum(1.0, self._per_window(voting))
        given = [
            self._per_window(np.bincount(campaign, ratios[way], len(self.sender)))
            for ratios in _ratios(self.usual)
        ]
        return np.stack(given) / votes

    def _per_window(self, values: NDArray[Any]) -> Floats:
        """Window x sender: sums over campaigns."""
        shape = (len(SPANS), int(self.sender.max()) + 1 if len(self.sender) else 0)
        key = self.slot * shape[1] + self.sender
        counted = np.bincount(key, values, shape[0] * shape[1]).reshape(shape)
        return np.asarray(np.cumsum(counted, axis=0))


@dataclass(frozen=True, slots=True)
class _Without:
    """Of each campaign the log likelihood ratio if it may die by itself, and if it is hit.

    And the sums of the former over windows and senders, all of whose campaigns may die.
    """

    dies: Floats
    hit: Floats
    sums: Floats


def _ratios(usual: Floats) -> Floats:
    """For each way in which a cause may lose mail: what the way of a loss says for it."""
    same = SAME_WAY * np.eye(len(usual)) / usual
    return np.minimum(np.log(1 - SAME_WAY + same), LARGEST_VOTE)


def _table(memory: Memory, now: float, apart: frozenset[str], beside: str) -> _Table:
    """The clusters of the last two days, save those of the senders *apart*."""
    table = memory.table
    rows = table.sorted(table.live())
    age = now - table.number(AT, rows)
    out = np.isin(table.key(SENDER, rows), [table.id(SENDER, sender) for sender in apart])
    usual = _usual_ways(memory, rows[age > SPANS[-1]])
    keep = (age >= 0) & (age <= SPANS[-1]) & ~out
    rows, age = rows[keep], age[keep]
    bad = table.flag(IS_BAD, rows) & table.flag(IS_WIDELY_BAD, rows)
    slot = np.searchsorted(oldest_bad(age[bad], SPANS), age)
    keep = slot < len(SPANS)  # the rest is older than any start
    rows, slot = rows[keep], slot[keep]
    campaign = numbered(table.key(TRIAL, rows))
    first = firsts(campaign)
    return _Table(
        memory,
        rows,
        campaign,
        table.key(WAY, rows),
        _unexplained(memory, rows, beside),
        usual,
        numbered(table.key(SENDER, rows[first])),
        slot[first],
    )


def _unexplained(memory: Memory, rows: Rows, beside: str) -> Floats:
    """Losses of clusters; what another incident is well known to have hit says nothing.

    Else what little is left of each would add up, over all mail of a long incident.
    """
    loss, known = either(memory, rows), explained(memory, rows, beside)
    return np.where(known >= WELL_EXPLAINED, np.minimum(loss, 0.0), beyond(loss, known))


def _usual_ways(memory: Memory, rows: Rows) -> Floats:
    """Shares of the ways in which mail was lost before any start that is asked about.

    What a known incident may have done is not usual.
    """
    way = memory.table.key(WAY, rows)
    usual = (way >= 0) & ~(memory.table.number(EXPLAINED, rows) > 0)
    seen = np.bincount(way[usual], minlength=len(USUAL_WAYS))
    counted = seen + USUAL_CLUSTERS * np.array(USUAL_WAYS)
    return np.asarray(counted / counted.sum())
