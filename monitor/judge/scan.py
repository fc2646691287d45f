"""The evidence for an incident at one provider, over its unknown start and unknown victims.

For every candidate start and every share f of senders hit, each sender is one unit: hit
with probability f, or fine, or in trouble of its own here. Because the last is part of
the null, one sender can add only as much as its own trouble is improbable, whatever it
sends. Method: mixture likelihood ratios over an unknown subset of streams (Y. Xie and
D. Siegmund, Annals of Statistics 41 (2013), 670-692), in windows (T. L. Lai, 1998).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from monitor.judge.clusters import Cluster
from monitor.judge.likelihood import MOST_SURE, Likelihood
from monitor.judge.memory import WINDOW_H
from monitor.judge.reputation import LEAST, MOST, ONSET_PER_H

Floats = NDArray[np.float64]
_Row = tuple[float, Cluster, tuple[float, ...]]  # hour, cluster, its figures


class Kind(StrEnum):
    """How an incident shows."""

    ARRIVAL = "arrival"
    REMOVAL = "removal"  # after delivery
    BOTH = "both"


WINDOWS = np.array([1.5, 2.5, 4.0, 6.5, 12.0, 24.0, 48.0, 96.0, WINDOW_H])  # hours ago
FRACTIONS = np.array([0.07, 0.25, 0.6, 0.95])  # of the senders that are hit
# Few senders over many days is what chance looks like: several reputations that fell in
# one week. Such starts get a tenth of the others' weight.
_CHANCE = np.where((FRACTIONS[:, None] < 0.1) & (WINDOWS[None, :] > 90), 0.1, 1.0)


def _priors(*fractions: float) -> Floats:
    weights = np.array(fractions)[:, None] * _CHANCE
    return np.asarray(np.log(weights / weights.sum()))


ANY_SHARE = _priors(0.25, 0.25, 0.25, 0.25)
MOSTLY_ALL = _priors(0.1, 0.1, 0.2, 0.6)  # a rule about a feature hits nearly all who have it
OWN_PARTIAL = 0.3  # a sender's own trouble takes a third of its copies so often
LEAST_TROUBLE = 0.02  # where a sender has no history yet
REMOVAL_TROUBLE = 0.01


@dataclass(frozen=True, slots=True)
class Columns:
    """The clusters of one provider, oldest first, as arrays of one length."""

    clusters: Sequence[Cluster]
    age: Floats  # hours
    sender: NDArray[np.intp]
    normal: Floats
    dip: Floats
    partial: Floats
    bad: Floats
    own_failure: Floats
    everywhere: Floats  # probability that the campaign fails at all providers
    in_trouble: Floats  # probability that the sender was in trouble here before
    explained: Floats  # probability that another incident did it

    def __len__(self) -> int:
        return len(self.clusters)

    @property
    def senders(self) -> int:
        return int(self.sender.max()) + 1 if len(self) else 0

    def null(self, normal: Floats) -> Floats:
        """Log probability without this incident, where a sound cluster has *normal*."""
        fails = self.everywhere + self.own_failure * (1 - self.everywhere)
        return self._known(_mixed(fails, self.bad, normal))

    def hit(self, alternative: Floats) -> Floats:
        """Log probability where a cluster that is hit has *alternative*."""
        return self._known(_mixed(self.everywhere, self.bad, alternative))

    def _known(self, own: Floats) -> Floats:
        return np.where(self.explained > 0, _mixed(self.explained, self.bad, own), own)

    def where(self, keep: NDArray[np.bool_]) -> "Columns":
        clusters = [cluster for cluster, kept in zip(self.clusters, keep, strict=True) if kept]
        _, sender = np.unique(self.sender[keep], return_inverse=True)
        return Columns(
            clusters,
            self.age[keep],
            sender,
            *(getattr(self, name)[keep] for name in _FLOATS),
        )


_FLOATS = (
    "normal",
    "dip",
    "partial",
    "bad",
    "own_failure",
    "everywhere",
    "in_trouble",
    "explained",
)


def _mixed(share: Floats, inside: Floats, outside: Floats) -> Floats:
    safe = np.clip(share, 1e-12, 1 - 1e-12)
    return np.logaddexp(np.log(safe) + inside, np.log1p(-safe) + outside)


def columns(clusters: Iterable[Cluster], now: float, kind: Kind, *, beside: str = "") -> Columns:
    """What *clusters* say, read as *kind*.

    Args:
        beside: an incident that is being judged, and so must not explain its own mail.
    """
    rows = []
    for cluster in clusters:
        seen, at, odds, trouble = _read(cluster, kind)
        if seen is not None and 0 <= now - at <= WINDOW_H:
            known = _explained(cluster, beside) if cluster.explained else 0.0
            rows.append((at, cluster, (*seen, odds, trouble, known)))
    return _columns(rows, now)


def _read(cluster: Cluster, kind: Kind) -> tuple[Likelihood | None, float, float, float]:
    """Likelihood, hour, log odds of failing everywhere, and the sender's own trouble."""
    if kind is Kind.ARRIVAL:
        return cluster.arrival, cluster.at, cluster.everywhere_odds, cluster.in_trouble
    if kind is Kind.REMOVAL:
        return cluster.removal, cluster.removal_at, cluster.removed_odds, REMOVAL_TROUBLE
    seen = cluster.both or cluster.arrival
    return seen, cluster.met, cluster.everywhere_odds, cluster.in_trouble


def _explained(cluster: Cluster, beside: str) -> float:
    return max((r for name, r in cluster.explained.items() if name != beside), default=0.0)


def _columns(rows: Iterable[_Row], now: float) -> Columns:
    rows = sorted(rows, key=lambda row: row[0])
    number: dict[str, int] = {}
    sender = [number.setdefault(cluster.sender, len(number)) for _, cluster, _ in rows]
    values = np.array([row[2] for row in rows], dtype=float).reshape(len(rows), len(_FLOATS)).T
    odds = _FLOATS.index("everywhere")
    values[odds] = np.clip(1 / (1 + np.exp(-np.clip(values[odds], -30, 30))), 1e-6, MOST_SURE)
    return Columns(
        [cluster for _, cluster, _ in rows],
        now - np.array([row[0] for row in rows], dtype=float),
        np.array(sender, dtype=np.intp),
        *values,
    )


def evidence(
    columns: Columns, alternatives: Sequence[Floats], priors: Floats = ANY_SHARE
) -> tuple[float, float]:
    """Return the log evidence for an incident, and the likeliest window of its start.

    Args:
        columns: at least one cluster.
        alternatives: what the incident may do to a cluster, as log probabilities of the
            clusters; each is equally likely beforehand.
        priors: log probabilities of the share of senders hit and of the window.
    """
    bad = alternatives[-1] > columns.normal
    slot = np.searchsorted(oldest_bad(columns.age[bad], WINDOWS), columns.age)
    keep = slot < len(WINDOWS)  # the rest is older than any start
    columns, slot = columns.where(keep), slot[keep]
    alternatives = [alternative[keep] for alternative in alternatives]
    shape = (len(WINDOWS), columns.senders)
    key = slot * columns.senders + columns.sender

    def per_window(values: Floats) -> Floats:
        counted = np.bincount(key, values, shape[0] * shape[1]).reshape(shape)
        return np.asarray(np.cumsum(counted, axis=0))

    trouble = _trouble(columns, slot)
    own = np.logaddexp(
        np.log(OWN_PARTIAL) + per_window(columns.partial),
        np.log1p(-OWN_PARTIAL) + per_window(columns.bad),
    )
    sound = _mixed(trouble, own, per_window(columns.null(columns.normal)))
    dipped = _mixed(trouble, own, per_window(columns.null(columns.dip)))
    null = np.maximum(sound.sum(axis=1), dipped.sum(axis=1))
    fraction = FRACTIONS[:, None, None]
    scores = []
    for alternative in alternatives:
        hit = per_window(columns.hit(alternative))
        units = np.logaddexp(np.log1p(-fraction) + sound, np.log(fraction) + hit)
        scores.append(units.sum(axis=2) - null + priors)
    table = np.array(scores)
    top = float(table.max())
    total = top + float(np.log(np.exp(table - top).sum())) - float(np.log(len(alternatives)))
    best = np.unravel_index(int(table.argmax()), table.shape)
    return total, float(WINDOWS[best[2]])


def oldest_bad(bad: Floats, windows: Floats) -> Floats:
    """Ages of the candidate starts: the oldest of the *bad* clusters' ages in each window.

    No incident starts with mail that fared well, and senders that mail in rounds would
    fall between fixed windows.
    """
    oldest = np.zeros(len(windows))
    for index, window in enumerate(windows):
        inside = bad[bad <= window]
        oldest[index] = inside.max() if len(inside) else 0.0
    return oldest


def _trouble(columns: Columns, slot: NDArray[np.intp]) -> Floats:
    """Probability, per window and sender, of the sender's own trouble at the provider.

    It is that before the window's first cluster, or one that began within the window.
    """
    table = np.full((len(WINDOWS), columns.senders), LEAST_TROUBLE)
    for window in range(len(WINDOWS)):
        inside = slot <= window
        # Newest first, so that the oldest inside the window is what remains.
        table[window, columns.sender[inside][::-1]] = columns.in_trouble[inside][::-1]
    onset = 1 - np.exp(-WINDOWS[:, None] * ONSET_PER_H)
    return np.asarray(np.clip(table + (1 - table) * onset, LEAST, MOST))
