"""Placements counted by provider: shares of decided copies, at first and as they stand."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from monitor.core.placements import Placement
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
    """How the copies at one provider were placed. Without a decided copy there is no share."""

    n: int  # decided copies
    first: Mapping[Placement, float]
    current: Mapping[Placement, float]
    pending: int
    unknown: int
    contaminated: int

    def as_json(self) -> dict[str, Any]:
        """Shares from 0 to 1, named as the market names them (DESIGN section 8)."""
        return {
            "n": self.n,
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


def _count(clusters: Iterable[Cluster]) -> dict[str, Placed]:
    first: dict[str, Counter[Placement]] = {}
    current: dict[str, Counter[Placement]] = {}
    contaminated: Counter[str] = Counter()
    for cluster in clusters:
        at_first = first.setdefault(cluster.provider, Counter())
        by_now = current.setdefault(cluster.provider, Counter())
        if cluster.contaminated:
            contaminated[cluster.provider] += cluster.copies
            continue
        at_first[cluster.first] += cluster.copies
        by_now[cluster.current] += cluster.copies
    return {
        name: Placed(
            n=_decided(current[name]),
            first=_shares(first[name]),
            current=_shares(current[name]),
            pending=current[name][Placement.PENDING],
            unknown=current[name][Placement.UNKNOWN],
            contaminated=contaminated[name],
        )
        for name in sorted(current)
    }


def _decided(counts: Counter[Placement]) -> int:
    return sum(counts[placement] for placement in SHOWN)


def _shares(counts: Counter[Placement]) -> dict[Placement, float]:
    n = _decided(counts)
    return {placement: counts[placement] / n for placement in SHOWN} if n else {}
