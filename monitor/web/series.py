"""Shares over time: what the small charts of the overview draw. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from statistics import median

from monitor.store.pages import Cluster

SPAN = timedelta(hours=72)
_STEPS = tuple(timedelta(minutes=m) for m in (5, 15, 30, 60, 120, 180, 360))
_MAX_POINTS = 26
_ENOUGH = 3  # points from which on one may speak of usual

Trouble = tuple[datetime, datetime]  # from the earliest possible start of an incident to its end


@dataclass(frozen=True, slots=True)
class Point:
    """The share of the copies sent within one step of time that have arrived."""

    start: datetime
    share: float
    n: int


@dataclass(frozen=True, slots=True)
class Chart:
    """Shares over time at one provider; steps without copies have no point.

    `usual` is the middle one of the points outside any trouble; None if there are too few
    to speak of usual.
    """

    start: datetime
    step: timedelta
    steps: int
    points: tuple[Point, ...] = ()
    usual: float | None = None


def axis(clusters: Sequence[Cluster], now: datetime) -> Chart:
    """Return the empty chart that all providers share: 72 h, or less if the data are younger."""
    oldest = min((c.sent_at for c in clusters if c.sent_at > now - SPAN), default=now)
    length = now - oldest
    step = next((s for s in _STEPS if length / s < _MAX_POINTS - 1), _STEPS[-1])
    start = _floor(oldest, step)
    return Chart(start=start, step=step, steps=(now - start) // step + 1)


def chart(clusters: Iterable[Cluster], empty: Chart, *, troubles: Sequence[Trouble]) -> Chart:
    """Fill the *empty* chart with the copies of one provider, by the time of sending.

    *troubles* are the times of its incidents, which say nothing about what is usual.
    """
    sent: Counter[int] = Counter()
    good: Counter[int] = Counter()
    for cluster in clusters:
        if not cluster.counts or cluster.sent_at < empty.start:
            continue
        step = (cluster.sent_at - empty.start) // empty.step
        sent[step] += cluster.copies
        good[step] += cluster.copies if cluster.current.is_arrived else 0
    points = tuple(
        Point(empty.start + step * empty.step, good[step] / n, n)
        for step, n in sorted(sent.items())
    )
    calm = [
        p.share
        for p in points
        if not any(p.start < end and p.start + empty.step > begin for begin, end in troubles)
    ]
    usual = median(calm) if len(calm) >= _ENOUGH else None
    return replace(empty, points=points, usual=usual)


def _floor(at: datetime, step: timedelta) -> datetime:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + (at - epoch) // step * step
