"""The clusters that are kept, as columns: what the judge reckons with, a week at a time."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from monitor.judge.clusters import MOST_FEATURES, WAYS_LOST, Cluster
from monitor.judge.likelihood import Likelihood

Floats = NDArray[np.float64]
Rows = NDArray[np.intp]  # numbers of rows
Mask = NDArray[np.bool_]

MOST_REGIONS = 16  # of one provider
_FIGURES = len(Likelihood._fields)
_NONE = (math.nan,) * _FIGURES

# Columns of numbers. A likelihood takes as many as it has fields.
AT, SENT, LAST, MET, MOVED, REMOVAL_AT, IN_TROUBLE, EVERYWHERE, REMOVED, EXPLAINED = range(10)
UNEXPLAINED, LOST, USUAL, WEEKDAY, ARRIVAL = range(10, 15)  # shares lost, and usually lost
REMOVAL, BOTH = ARRIVAL + _FIGURES, ARRIVAL + 2 * _FIGURES
MILDER = ARRIVAL + 3 * _FIGURES
LEAST_USUAL, IN_LUCK, FINE, EASED = range(MILDER + _FIGURES, MILDER + _FIGURES + 4)  # its own
REGIONAL = EASED + 1
COLUMNS = REGIONAL + MOST_REGIONS

# Columns of whole numbers.
PROVIDER, SENDER, TRIAL, ORDER, WAY, FLAGS, EXPLAINER, EASER, FEATURE = range(9)
KEYS = FEATURE + MOST_FEATURES
IS_BAD, IS_BLIND, IS_WIDELY_BAD = 1, 2, 4
NOBODY, SEVERAL = -1, -3  # for the one incident that explains a cluster


class Table:
    """Rows are numbered from 0; those of clusters that were forgotten have provider -1.

    The order of the rows means nothing, so that a table that was built anew says the same:
    `sorted` puts rows in the order of their trials.
    """

    def __init__(self) -> None:
        self.clusters: list[Cluster] = []
        self.dead = 0
        self.widest = 0  # features of a cluster
        self.owners: dict[str, dict[str, int]] = {}  # feature -> sender -> clusters
        self.regions: dict[str, list[str]] = {}  # provider -> names, in the order of columns
        self._numbers = np.full((COLUMNS, 256), math.nan)
        self._keys = np.full((KEYS, 256), -1, dtype=np.int64)
        self._shared = 0
        self._ids: dict[tuple[int, str], int] = {}

    def id(self, kind: int, name: str) -> int:
        """The number that stands for *name* in the columns of *kind*; -2 if there is none."""
        return self._ids.get((kind, name), -2)

    def add(self, cluster: Cluster, order: int) -> None:
        """Give *cluster* a row, to be written; *order* is its place among all clusters."""
        cluster.row = len(self.clusters)
        self.clusters.append(cluster)
        if cluster.row == self._keys.shape[1]:
            self._numbers = np.concatenate(
                [self._numbers, np.full_like(self._numbers, math.nan)], 1
            )
            self._keys = np.concatenate([self._keys, np.full_like(self._keys, -1)], 1)
        ids = [self._intern(FEATURE, feature) for feature in cluster.features[:MOST_FEATURES]]
        self.widest = max(self.widest, len(ids))
        provider = self._intern(PROVIDER, cluster.provider)
        sender = self._intern(SENDER, cluster.sender)
        keys = [provider, sender, order >> 8, order, -1, 0, NOBODY, NOBODY, *ids]
        self._keys[: len(keys), cluster.row] = keys
        for feature in cluster.features:
            owners = self.owners.setdefault(feature, {})
            self._shared += len(owners) == 1 and cluster.sender not in owners
            owners[cluster.sender] = owners.get(cluster.sender, 0) + 1

    def _intern(self, kind: int, name: str) -> int:
        return self._ids.setdefault((kind, name), len(self._ids))

    def write(self, cluster: Cluster) -> None:
        """Bring the row of *cluster* up to date."""
        row = cluster.row
        moved = math.nan if cluster.moved is None else cluster.moved
        figures: list[float] = [
            cluster.at,
            cluster.sent,
            cluster.last,
            cluster.met,
            moved,
            cluster.removal_at,
            cluster.in_trouble,
            cluster.everywhere_odds,
            cluster.removed_odds,
            cluster.known,
            cluster.unexplained,
            math.nan if cluster.counts is None else cluster.counts.lost / cluster.counts.n,
            math.nan if cluster.counts is None else cluster.counts.expected,
            cluster.usual - cluster.any_day,
            *(cluster.arrival or _NONE),
            *(cluster.removal or _NONE),
            *(cluster.both or _NONE),
            *(cluster.milder or _NONE),
            math.nan if cluster.counts is None else cluster.least_usual,
            cluster.in_luck,
            cluster.fine_odds,
            max(cluster.eased.values(), default=0.0),
        ]
        self._numbers[:REGIONAL, row] = figures
        self._numbers[REGIONAL:, row] = self._regional(cluster)
        self._keys[WAY, row] = WAYS_LOST.index(cluster.way) if cluster.way else -1
        self._flag(cluster)

    def weigh(self, cluster: Cluster) -> None:
        """Bring up to date what *cluster* takes from its test and from the known incidents."""
        self._numbers[EVERYWHERE : UNEXPLAINED + 1, cluster.row] = (
            cluster.everywhere_odds,
            cluster.removed_odds,
            cluster.known,
            cluster.unexplained,
        )
        self._numbers[FINE : EASED + 1, cluster.row] = (
            cluster.fine_odds,
            max(cluster.eased.values(), default=0.0),
        )
        self._flag(cluster)

    def _flag(self, cluster: Cluster) -> None:
        flags = (
            IS_BAD * cluster.is_bad
            | IS_BLIND * cluster.is_blind
            | IS_WIDELY_BAD * cluster.is_widely_bad
        )
        explainer, easer = self._only(cluster.explained), self._only(cluster.eased)
        self._keys[FLAGS:FEATURE, cluster.row] = flags, explainer, easer

    def _only(self, incidents: Mapping[str, float]) -> int:
        if len(incidents) > 1:
            return SEVERAL
        return self._intern(EXPLAINER, next(iter(incidents))) if incidents else NOBODY

    def incident(self, name: str) -> int:
        """The number that stands for an incident where it alone explains a cluster."""
        return self.id(EXPLAINER, name)

    def _regional(self, cluster: Cluster) -> Sequence[float] | float:
        if not cluster.regional:
            return math.nan
        names = self.regions.setdefault(cluster.provider, [])
        for name in cluster.regional:
            if name not in names and len(names) < MOST_REGIONS:
                names.append(name)
        ratios = [cluster.regional.get(name, math.nan) for name in names]
        return ratios + [math.nan] * (MOST_REGIONS - len(ratios))

    def touch(self, cluster: Cluster) -> None:
        """Note that *cluster* was looked at again."""
        self._numbers[LAST, cluster.row] = cluster.last
        self._numbers[REMOVAL_AT, cluster.row] = cluster.removal_at

    def drop(self, cluster: Cluster) -> None:
        self._keys[PROVIDER, cluster.row] = -1
        self.dead += 1
        for feature in cluster.features:
            owners = self.owners[feature]
            owners[cluster.sender] -= 1
            if not owners[cluster.sender]:
                del owners[cluster.sender]
                self._shared -= len(owners) == 1
            if not owners:
                del self.owners[feature]

    # ---- reading

    def number(self, column: int, rows: Rows) -> Floats:
        return np.asarray(self._numbers[column, rows])

    def key(self, column: int, rows: Rows) -> NDArray[np.int64]:
        return np.asarray(self._keys[column, rows])

    def likelihood(self, first: int, rows: Rows) -> Floats:
        """The fields of a likelihood, as rows of a matrix; *first* is its first column."""
        return np.asarray(self._numbers[first : first + _FIGURES, rows])

    def flag(self, flag: int, rows: Rows) -> Mask:
        return np.asarray((self._keys[FLAGS, rows] & flag) > 0)

    def regional(self, provider: str, region: str, rows: Rows) -> Floats:
        """Log ratios of *region*; NaN where it was not asked."""
        names = self.regions.get(provider, [])
        if region not in names:
            return np.full(len(rows), math.nan)
        return np.asarray(self._numbers[REGIONAL + names.index(region), rows])

    def having(self, features: Sequence[str], rows: Rows) -> Mask:
        """Features x clusters: which carry it?"""
        carried = self._keys[FEATURE : FEATURE + self.widest, rows]
        if len(features) == 1:
            return np.asarray((carried == self.id(FEATURE, features[0])).any(axis=0)[None])
        asked = {feature: place for place, feature in enumerate(dict.fromkeys(features))}
        place_of = np.full(len(self._ids) + 1, -1, dtype=np.intp)  # the last is for no feature
        for feature, place in asked.items():
            place_of[self.id(FEATURE, feature)] = place
        places = place_of[carried]
        held, row = np.nonzero(places >= 0)
        found = np.zeros((len(asked), len(rows)), dtype=bool)
        found[places[held, row], row] = True
        return found if len(asked) == len(features) else found[[asked[f] for f in features]]

    def live(self) -> Mask:
        return np.asarray(self._keys[PROVIDER, : len(self.clusters)] >= 0)

    def at(self, provider: str) -> Mask:
        return np.asarray(self._keys[PROVIDER, : len(self.clusters)] == self.id(PROVIDER, provider))

    def recent(self, now: float, span: float) -> Mask:
        """Which rows were judged in the last *span* hours?"""
        age = now - self._numbers[AT, : len(self.clusters)]
        return np.asarray(self.live() & (age >= 0) & (age <= span))

    def of(self, sender: str) -> Mask:
        mine = self._keys[SENDER, : len(self.clusters)] == self.id(SENDER, sender)
        return np.asarray(mine & self.live())

    def sorted(self, mask: Mask) -> Rows:
        """The rows that *mask* marks, in the order of their trials."""
        return self.in_order(np.flatnonzero(mask))

    def in_order(self, rows: Rows) -> Rows:
        """The same rows, in the order of their trials."""
        return np.asarray(rows[np.argsort(self._keys[ORDER, rows], kind="stable")])

    def shared(self) -> int:
        """How many features at least two senders have."""
        return self._shared

    def is_shared(self, feature: str) -> bool:
        """Do two senders have it? Else it cannot be told from its sender."""
        return len(self.owners.get(feature, ())) > 1


def numbered(ids: NDArray[np.int64]) -> Rows:
    """Number *ids* from 0 in the order in which they first appear.

    They lie close together, so that counting them out is quicker than sorting them.
    """
    if not len(ids):
        return np.zeros(0, dtype=np.intp)
    close = ids - ids.min()
    places = np.arange(len(ids))
    first = np.empty(int(close.max()) + 1, dtype=np.intp)
    first[close[::-1]] = places[::-1]  # of those that are equal, the first is written last
    first = first[close]
    return np.asarray((np.cumsum(first == places) - 1)[first])


def firsts(numbers: Rows) -> Rows:
    """Where each of *numbers*, which go from 0 without a gap, first appears."""
    first = np.empty(int(numbers.max()) + 1 if len(numbers) else 0, dtype=np.intp)
    first[numbers[::-1]] = np.arange(len(numbers))[::-1]  # the first is written last
    return first
