"""From counted copies to what the overview says of each provider. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from statistics import median

from monitor.core.incidents import Cause, Incident, State
from monitor.core.placements import Placement
from monitor.judge.rates import effective_total, wilson
from monitor.store.pages import Cluster

# Without an incident, a provider whose share is surely below this is not called normal.
_HEALTHY = 0.8
_STEPS = tuple(timedelta(minutes=m) for m in (5, 15, 30, 60, 120, 180, 360))
_MAX_POINTS = 26
_URGENCY = ("trouble", "suspected", "recovering", "mixed", "no data", "normal")
CHART_SPAN = timedelta(hours=72)
WINDOWS: Mapping[str, timedelta] = {
    "24h": timedelta(hours=24),
    "72h": timedelta(hours=72),
    "14d": timedelta(days=14),
}


class ProviderState(StrEnum):
    """The one word for a provider."""

    NORMAL = "normal"
    MIXED = "mixed"
    SUSPECTED = "suspected"
    TROUBLE = "trouble"
    RECOVERING = "recovering"
    NO_DATA = "no data"


@dataclass(frozen=True, slots=True)
class Share:
    """Which part of the copies that we can judge arrived, and how sure that is."""

    arrived: int
    n: int
    n_eff: float
    low: float
    high: float

    @property
    def value(self) -> float:
        return self.arrived / self.n


@dataclass(frozen=True, slots=True)
class Point:
    """The share of the copies sent within one step of time that have arrived."""

    start: datetime
    share: float
    n: int


@dataclass(frozen=True, slots=True)
class Chart:
    """Shares over time at one provider; steps without copies have no point."""

    start: datetime
    step: timedelta
    steps: int
    points: tuple[Point, ...]

    @property
    def usual(self) -> float | None:
        """The middle one of the points; None until there are enough to speak of usual."""
        return median(p.share for p in self.points) if len(self.points) >= 4 else None


@dataclass(frozen=True, slots=True)
class ProviderView:
    """One line of the provider table. Without a decided copy, both shares are None."""

    id: str
    name: str
    state: ProviderState
    first: Share | None
    current: Share | None
    counts: Mapping[Placement, int]  # of the current placements of decided copies
    pending: int
    unknown: int
    contaminated: int
    looked_at: datetime | None
    chart: Chart
    incident: Incident | None = None

    @property
    def removed(self) -> int:
        return self.counts.get(Placement.REMOVED, 0)

    @property
    def apart(self) -> str:
        """The copies that are in no rate: "2 pending, 1 unknown"; empty if there are none."""
        kinds = {
            "pending": self.pending,
            "unknown": self.unknown,
            "contaminated": self.contaminated,
        }
        return ", ".join(f"{n} {kind}" for kind, n in kinds.items() if n)

    def part(self, placement: Placement) -> float:
        """The share of *placement* among the decided copies; 0 only if there are some."""
        if self.current is None:
            raise ValueError(f"{self.id}: no decided copy, so no share")
        return self.counts.get(placement, 0) / self.current.n


def share(sizes: Mapping[int, int], arrived: int) -> Share | None:
    """Return the share of *arrived* among copies that fall into clusters of *sizes*.

    The copies of one test at one provider share a fate, so the interval is that of the
    smaller number of independent copies that they are worth.
    """
    n = sum(sizes.values())
    if n == 0:
        return None
    n_eff = effective_total(sizes.values())
    low, high = wilson(arrived / n * n_eff, n_eff)
    return Share(arrived=arrived, n=n, n_eff=n_eff, low=low, high=high)


def choose_window(clusters: Iterable[Cluster], now: datetime) -> str:
    """Return the shortest window in which there is anything to say."""
    newest = max((c.sent_at for c in clusters if c.counts), default=None)
    fitting = (w for w, length in WINDOWS.items() if newest and newest > now - length)
    return next(fitting, "14d")


def chart_axis(clusters: Sequence[Cluster], now: datetime) -> Chart:
    """Return the empty chart that all providers share: 72 h, or less if the data are younger."""
    oldest = min((c.sent_at for c in clusters if c.sent_at > now - CHART_SPAN), default=now)
    length = now - oldest
    step = next((s for s in _STEPS if length / s < _MAX_POINTS - 1), _STEPS[-1])
    start = _floor(oldest, step)
    steps = (now - start) // step + 1
    return Chart(start=start, step=step, steps=steps, points=())


def provider_view(
    provider: str,
    name: str,
    clusters: Sequence[Cluster],
    *,
    since: datetime,
    axis: Chart,
    incident: Incident | None,
) -> ProviderView:
    """Tell how *provider* treats the copies sent after *since*; the chart goes its own way."""
    recent = [c for c in clusters if c.sent_at > since]
    decided = [c for c in recent if c.counts]
    sizes: Counter[int] = Counter()
    counts: Counter[Placement] = Counter()
    firsts: Counter[Placement] = Counter()
    for cluster in decided:
        sizes[cluster.test_id] += cluster.copies
        counts[cluster.current] += cluster.copies
        firsts[cluster.first] += cluster.copies
    current = share(sizes, _arrived(counts))
    kept = [c for c in recent if not c.contaminated]
    return ProviderView(
        id=provider,
        name=name,
        state=_state(current, incident),
        first=share(sizes, _arrived(firsts)),
        current=current,
        counts=counts,
        pending=sum(c.copies for c in kept if c.current is Placement.PENDING),
        unknown=sum(c.copies for c in kept if c.current is Placement.UNKNOWN),
        contaminated=sum(c.copies for c in recent if c.contaminated),
        looked_at=max((c.looked_at for c in clusters if c.looked_at), default=None),
        chart=_chart(clusters, axis),
        incident=incident,
    )


def test_views(clusters: Sequence[Cluster], name: Callable[[str], str]) -> list[ProviderView]:
    """Tell how each provider treats the copies of one test."""
    if not clusters:
        return []
    begin = clusters[0].sent_at
    axis = Chart(begin, _STEPS[0], 1, ())
    views = [
        provider_view(
            provider,
            name(provider),
            [c for c in clusters if c.provider == provider],
            since=begin - _STEPS[0],
            axis=axis,
            incident=None,
        )
        for provider in {c.provider for c in clusters}
    ]
    return sorted(views, key=lambda v: v.name.casefold())


def worst_first(views: Iterable[ProviderView]) -> list[ProviderView]:
    """Trouble on top, then by name."""
    order = list(_URGENCY)
    return sorted(views, key=lambda v: (order.index(v.state), v.name.casefold()))


def incident_at(provider: str, incidents: Iterable[Incident]) -> Incident | None:
    """Return the open incident that colours *provider*'s line, the worst one first."""
    rank = {State.CONFIRMED: 0, State.SUSPECTED: 1, State.RECOVERING: 2}
    mine = [
        i
        for i in incidents
        if i.is_open
        and i.latest.provider == provider
        and (i.latest.cause.blames_provider or i.latest.cause is Cause.POLICY)
    ]
    return min(mine, key=lambda i: rank[i.state], default=None)


def _state(current: Share | None, incident: Incident | None) -> ProviderState:
    if incident is not None:
        return {
            State.CONFIRMED: ProviderState.TROUBLE,
            State.SUSPECTED: ProviderState.SUSPECTED,
        }.get(incident.state, ProviderState.RECOVERING)
    if current is None:
        return ProviderState.NO_DATA
    surely_low = current.value < _HEALTHY and current.high < (1 + _HEALTHY) / 2
    return ProviderState.MIXED if surely_low else ProviderState.NORMAL


def _arrived(counts: Mapping[Placement, int]) -> int:
    return sum(n for placement, n in counts.items() if placement.is_arrived)


def _chart(clusters: Iterable[Cluster], axis: Chart) -> Chart:
    sent: Counter[int] = Counter()
    good: Counter[int] = Counter()
    for cluster in clusters:
        if not cluster.counts or cluster.sent_at < axis.start:
            continue
        step = (cluster.sent_at - axis.start) // axis.step
        sent[step] += cluster.copies
        good[step] += cluster.copies if cluster.current.is_arrived else 0
    points = tuple(
        Point(axis.start + step * axis.step, good[step] / n, n) for step, n in sorted(sent.items())
    )
    return Chart(axis.start, axis.step, axis.steps, points)


def _floor(at: datetime, step: timedelta) -> datetime:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + (at - epoch) // step * step
