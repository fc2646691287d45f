"""Placements counted by provider: shares of decided copies, at first and as they stand.

With each goes how sure it is: the copies of one test at one provider share a fate, so that
n of them are worth n_eff independent ones, and the interval counts those.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from monitor.core.intervals import wilson
from monitor.core.placements import Placement
from monitor.judge.rates import effective_total
from monitor.store import pages
from monitor.store.pages import Cluster

SHOWN = (
    Placement.INBOX,
    Placement.TAB,
    Placement.SPAM,
    Placement.QUARANTINE,
    Placement.REJECTED,
    Placement.MISSING,
    Placement.REMOVED,
)


@dataclass(frozen=True, slots=True)
class Placed:
    """How the copies at one provider were placed. Without a decided copy there is no share.

    `ci_low` to `ci_high` is the 95 % interval of the share that is in inbox or tab now.
    """

    n: int  # decided copies
    n_eff: float | None  # independent ones that they are worth
    ci_low: float | None
    ci_high: float | None
    first: Mapping[Placement, float]
    current: Mapping[Placement, float]
    pending: int
    unknown: int
    contaminated: int

    def as_json(self) -> dict[str, Any]:
        """Shares from 0 to 1, named as the market names them (DESIGN section 8)."""
        return {
            "n": self.n,
            "n_eff": _rounded(self.n_eff),
            "ci_low": _rounded(self.ci_low),
            "ci_high": _rounded(self.ci_high),
            "first": {f"{p}_pct": round(share, 4) for p, share in self.first.items()},
            "current": {f"{p}_pct": round(share, 4) for p, share in self.current.items()},
            "pending": self.pending,
            "unknown": self.unknown,
            "contaminated": self.contaminated,
        }


def placed(session: Session, *, since: datetime, until: datetime) -> dict[str, Placed]:
    """Count the copies of all tests sent in a span of time, both ends included."""
    instant = timedelta(microseconds=1)
    return _count(pages.clusters(session, since=since - instant, until=until))


def placed_of(session: Session, test_id: int) -> dict[str, Placed]:
    """Count the copies of one test."""
    return _count(pages.clusters_of(session, test_id))


@dataclass(slots=True)
class _Tally:
    """What is counted of one provider."""

    first: Counter[Placement] = field(default_factory=Counter)
    current: Counter[Placement] = field(default_factory=Counter)
    sizes: Counter[int] = field(default_factory=Counter)  # decided copies of each test
    contaminated: int = 0

    def add(self, cluster: Cluster) -> None:
        if cluster.contaminated:
            self.contaminated += cluster.copies
            return
        self.first[cluster.first] += cluster.copies
        self.current[cluster.current] += cluster.copies
        if cluster.current in SHOWN:
            self.sizes[cluster.test_id] += cluster.copies

    def placed(self) -> Placed:
        n_eff, low, high = self._certainty()
        return Placed(
            n=_decided(self.current),
            n_eff=n_eff,
            ci_low=low,
            ci_high=high,
            first=_shares(self.first),
            current=_shares(self.current),
            pending=self.current[Placement.PENDING],
            unknown=self.current[Placement.UNKNOWN],
            contaminated=self.contaminated,
        )

    def _certainty(self) -> tuple[float, float, float] | tuple[None, None, None]:
        n = _decided(self.current)
        if n == 0:
            return None, None, None
        arrived = sum(count for p, count in self.current.items() if p.is_arrived)
        n_eff = effective_total(self.sizes.values())
        return n_eff, *wilson(arrived / n * n_eff, n_eff)


def _count(clusters: Iterable[Cluster]) -> dict[str, Placed]:
    tallies: dict[str, _Tally] = {}
    for cluster in clusters:
        tallies.setdefault(cluster.provider, _Tally()).add(cluster)
    return {name: tally.placed() for name, tally in sorted(tallies.items())}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _decided(counts: Counter[Placement]) -> int:
    return sum(counts[placement] for placement in SHOWN)


def _shares(counts: Counter[Placement]) -> dict[Placement, float]:
    n = _decided(counts)
    return {placement: counts[placement] / n for placement in SHOWN} if n else {}
