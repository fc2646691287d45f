"""What a digest tells: placement by provider and by day, and the incidents, counted for a route."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

from sqlmodel import Session, col, select

from monitor.core.incidents import Incident
from monitor.core.intervals import wilson
from monitor.core.routes import About, Audience, Digest, Severity
from monitor.judge.rates import effective_total
from monitor.store import alerts, pages, pages_incidents
from monitor.store.alerts import Owing
from monitor.store.columns import saved
from monitor.store.pages import Cluster
from monitor.store.route_tables import RouteRow
from monitor.store.tables import SenderRow
from monitor.store.verdict_tables import AlertRow

DAY = timedelta(days=1)
DAYS_SHOWN = 14


@dataclass(frozen=True, slots=True)
class Period:
    """The time that a digest tells of; its days are those of `zone`."""

    start: datetime
    end: datetime
    zone: tzinfo

    @property
    def length(self) -> timedelta:
        return self.end - self.start


def wanting(session: Session) -> list[RouteRow]:
    """The routes that get digests: those that asked for them, and can be told."""
    rows = select(RouteRow).where(
        col(RouteRow.digest) != Digest.NONE,
        col(RouteRow.audience) != Audience.OPERATOR,
        col(RouteRow.confirmed_at).is_not(None),
        col(RouteRow.suspended_at).is_(None),
    )
    return list(session.exec(rows.order_by(col(RouteRow.id))).all())


def is_owed(session: Session, route: RouteRow, topic: str) -> bool:
    """Was this digest owed before?"""
    known = select(AlertRow.id).where(
        col(AlertRow.incident) == thread(route),
        col(AlertRow.topic) == topic,
        col(AlertRow.route_id) == route.id,
    )
    return session.exec(known).first() is not None


def owe(
    session: Session,
    route: RouteRow,
    topic: str,
    body: dict[str, Any],
    *,
    domain: str,
    now: datetime,
) -> AlertRow | None:
    """Owe a digest and put its delivery; None if it was owed before. The caller commits."""
    owing = Owing(saved(route.id), About.DIGEST, thread(route), topic, Severity.INFO, body)
    return alerts.owe(session, owing, domain=domain, now=now)


def thread(route: RouteRow) -> str:
    return f"digest:{route.id}"


def counted(session: Session, route: RouteRow, period: Period) -> dict[str, Any]:
    """Return what a digest tells, as JSON: only what concerns the route's own senders."""
    senders = _senders(session, route)
    shown_from = min(period.start - period.length, period.end - DAYS_SHOWN * DAY)
    ids = [saved(sender.id) for sender in senders]
    found = [
        c for c in pages.clusters_from(session, ids, since=shown_from, until=period.end) if c.counts
    ]
    now = [c for c in found if c.sent_at > period.start]
    before = [c for c in found if period.start - period.length < c.sent_at <= period.start]
    return {
        "from": period.start.isoformat(),
        "until": period.end.isoformat(),
        "providers": _by_provider(now, before),
        "days": _by_day(found, period),
        "incidents": _incidents(session, {sender.key for sender in senders}, period),
    }


def _senders(session: Session, route: RouteRow) -> Sequence[SenderRow]:
    mine = select(SenderRow).where(SenderRow.organisation_id == route.organisation_id)
    if route.sender_id is not None:
        mine = mine.where(SenderRow.id == route.sender_id)
    return session.exec(mine).all()


def _by_provider(now: Sequence[Cluster], before: Sequence[Cluster]) -> list[dict[str, Any]]:
    """The worst first. A provider without a decided copy has no row: that is not 0 %."""
    earlier = {place: _sums(those) for place, those in _grouped(before).items()}
    rows = []
    for place, those in _grouped(now).items():
        n, arrived = _sums(those)
        n_eff = _worth(those)
        low, high = wilson(arrived / n * n_eff, n_eff)
        before_n, before_arrived = earlier.get(place, (0, 0))
        rows.append(
            {
                "provider": place,
                "n": n,
                "arrived": arrived,
                "n_eff": n_eff,
                "low": low,
                "high": high,
                "before_n": before_n,
                "before_arrived": before_arrived,
            }
        )
    return sorted(rows, key=lambda row: (row["arrived"] / row["n"], row["provider"]))


def _grouped(clusters: Iterable[Cluster]) -> dict[str, list[Cluster]]:
    grouped: dict[str, list[Cluster]] = defaultdict(list)
    for one in clusters:
        grouped[one.provider].append(one)
    return grouped


def _sums(clusters: Iterable[Cluster]) -> tuple[int, int]:
    n = arrived = 0
    for one in clusters:
        n += one.copies
        arrived += one.copies if one.current.is_arrived else 0
    return n, arrived


def _worth(clusters: Iterable[Cluster]) -> float:
    """The copies of one test at one provider share a fate."""
    sizes: Counter[int] = Counter()
    for one in clusters:
        sizes[one.test_id] += one.copies
    return effective_total(sizes.values())


def _by_day(clusters: Sequence[Cluster], period: Period) -> list[dict[str, Any]]:
    """The last days up to the end, each of 24 hours; one without copies has n 0, no share."""
    days = []
    for back in range(min(DAYS_SHOWN, max(7, period.length // DAY)), 0, -1):
        start = period.end - back * DAY
        n, arrived = _sums(c for c in clusters if start < c.sent_at <= start + DAY)
        local = start.astimezone(period.zone)
        days.append({"day": f"{local.day} {local:%b}", "n": n, "arrived": arrived})
    return days


def _incidents(session: Session, keys: set[str], period: Period) -> list[dict[str, Any]]:
    """What was ever confirmed, hit these senders, and was open in the period."""
    return [
        {
            "incident": one.id,
            "sentence": one.latest.sentence,
            "state": str(one.state),
            "feature": one.latest.feature,
        }
        for one in pages_incidents.relevant(session, since=period.start)
        if one.was_confirmed and one.opened_at <= period.end and _concerns(one, keys)
    ]


def _concerns(incident: Incident, keys: set[str]) -> bool:
    """Does it hit one of these senders, as far as they may know?"""
    latest = incident.latest
    if latest.cause.blames_sender and latest.sender:
        return latest.sender in keys
    return bool(keys & set(latest.hit))
