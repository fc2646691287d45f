"""From counted copies to what the overview says of each provider. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from monitor.core.incidents import Cause, Direction, Incident, State
from monitor.core.intervals import wilson
from monitor.core.placements import Placement
from monitor.judge.rates import effective_total
from monitor.store.pages import Cluster
from monitor.web.series import Chart, Trouble, chart

# Without an incident, a provider whose share is surely below this is not called normal.
_HEALTHY = 0.8
_URGENCY = ("trouble", "suspected", "recovering", "mixed", "no data", "old data", "normal")
# A test a day keeps a provider fresh, and so do the looks of the three days after a test.
FRESH = timedelta(hours=26)
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
    OLD = "old data"  # no look has told anything lately: nobody knows how it is now
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
class Frame:
    """The time that a page speaks of: copies sent after `since`, and the charts' axis."""

    now: datetime
    since: datetime
    axis: Chart


@dataclass(frozen=True, slots=True)
class ProviderView:
    """One line of the provider table. Without a decided copy, both shares are None.

    `incident` is an open one; `past` is one that was closed within the time that is shown, so
    that its copies are still among those counted.
    """

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
    past: Incident | None = None

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


def provider_view(
    provider: str,
    name: str,
    clusters: Sequence[Cluster],
    *,
    frame: Frame,
    incidents: Iterable[Incident] = (),
) -> ProviderView:
    """Tell how *provider* treats the copies of the *frame*; the chart may reach further back.

    Copies that were sent while an incident lasted that is now closed do not make the provider
    abnormal: that it is over was judged by the copies sent since.
    """
    mine = [i for i in incidents if _blames(i, provider) and _is_serious(i)]
    incident, past = _open(mine), _past(mine, frame)
    troubles = [(i.latest.start_low, i.closed_at or frame.now) for i in mine]
    recent = [c for c in clusters if c.sent_at > frame.since]
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
    looked_at = max((c.looked_at for c in clusters if c.looked_at), default=None)
    is_old = looked_at is not None and frame.now - looked_at > FRESH
    return ProviderView(
        id=provider,
        name=name,
        state=_state(current, _calm(decided, troubles), incident, is_old=is_old),
        first=share(sizes, _arrived(firsts)),
        current=current,
        counts=counts,
        pending=sum(c.copies for c in kept if c.current is Placement.PENDING),
        unknown=sum(c.copies for c in kept if c.current is Placement.UNKNOWN),
        contaminated=sum(c.copies for c in recent if c.contaminated),
        looked_at=looked_at,
        chart=chart(clusters, frame.axis, troubles=troubles),
        incident=incident,
        past=past,
    )


def test_views(clusters: Sequence[Cluster], name: Callable[[str], str]) -> list[ProviderView]:
    """Tell how each provider treats the copies of one test, the worst one first."""
    if not clusters:
        return []
    begin, moment = clusters[0].sent_at, timedelta(seconds=1)
    frame = Frame(now=begin, since=begin - moment, axis=Chart(begin, moment, 1))
    views = [
        provider_view(
            provider,
            name(provider),
            [c for c in clusters if c.provider == provider],
            frame=frame,
        )
        for provider in {c.provider for c in clusters}
    ]
    return sorted(views, key=lambda v: (v.current.value if v.current else 2, v.name.casefold()))


def worst_first(views: Iterable[ProviderView]) -> list[ProviderView]:
    """Trouble on top, then what is just over, then by name."""
    return sorted(views, key=lambda v: (_URGENCY.index(v.state), v.past is None, v.name.casefold()))


def _blames(incident: Incident, provider: str) -> bool:
    """Does *incident* say that mail to *provider* fares worse, by its doing?"""
    latest = incident.latest
    if latest.direction is Direction.BETTER or latest.is_foreboding:
        return False
    return latest.provider == provider and (
        latest.cause.blames_provider or latest.cause is Cause.POLICY
    )


def _is_serious(incident: Incident) -> bool:
    """A suspicion that came to nothing is no trouble that was."""
    return incident.is_open or incident.was_confirmed


def _open(incidents: Iterable[Incident]) -> Incident | None:
    """The open incident that colours a provider's line, the worst one first."""
    rank = {State.CONFIRMED: 0, State.SUSPECTED: 1, State.RECOVERING: 2}
    still = [i for i in incidents if i.is_open]
    return min(still, key=lambda i: rank[i.state], default=None)


def _past(incidents: Iterable[Incident], frame: Frame) -> Incident | None:
    """The incident that was closed last, if its copies are among those shown."""
    whole = [i for i in incidents if i.latest.part_of is None]
    over = [(i.closed_at, i) for i in whole if i.closed_at and i.closed_at > frame.since]
    return max(over, key=lambda pair: pair[0], default=(None, None))[1]


def _calm(decided: Iterable[Cluster], troubles: Sequence[Trouble]) -> Share | None:
    """The share among the copies that were sent outside all *troubles*; None without any."""
    sizes: Counter[int] = Counter()
    arrived = 0
    for cluster in decided:
        if not any(begin <= cluster.sent_at <= end for begin, end in troubles):
            sizes[cluster.test_id] += cluster.copies
            arrived += cluster.copies if cluster.current.is_arrived else 0
    return share(sizes, arrived)


def _state(
    current: Share | None, calm: Share | None, incident: Incident | None, *, is_old: bool
) -> ProviderState:
    if incident is not None:
        return {
            State.CONFIRMED: ProviderState.TROUBLE,
            State.SUSPECTED: ProviderState.SUSPECTED,
        }.get(incident.state, ProviderState.RECOVERING)
    if current is None:
        return ProviderState.NO_DATA
    if is_old:
        return ProviderState.OLD
    if calm is None:  # all was sent in a trouble that the judge has since closed
        return ProviderState.NORMAL
    surely_low = calm.value < _HEALTHY and calm.high < (1 + _HEALTHY) / 2
    return ProviderState.MIXED if surely_low else ProviderState.NORMAL


def _arrived(counts: Mapping[Placement, int]) -> int:
    return sum(n for placement, n in counts.items() if placement.is_arrived)
