"""Where the lines and bars of a page go; the templates draw them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.core.placements import Placement
from monitor.web.filters import counted, percent, span
from monitor.web.series import Chart, Point
from monitor.web.shares import ProviderView

WIDTH, HEIGHT, EDGE = 150.0, 34.0, 3.0
_LONGEST_GAP = 4  # steps that a line still bridges

# In a bar: what arrived first, then from harmless to lost.
BAR_ORDER = (
    Placement.INBOX,
    Placement.TAB,
    Placement.SPAM,
    Placement.QUARANTINE,
    Placement.REMOVED,
    Placement.REJECTED,
    Placement.MISSING,
)


@dataclass(frozen=True, slots=True)
class Spark:
    """A small line chart: `lines` and `dots` in the drawing's own units."""

    lines: tuple[str, ...]
    dots: tuple[tuple[float, float], ...]
    last: tuple[float, float] | None
    usual_y: float | None
    told: str  # the same in words


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar, in hundredths of its length."""

    placement: Placement
    start: float
    length: float
    copies: int


def spark(chart: Chart, name: str) -> Spark:
    """Place the points of *chart*; a longer time without copies is a gap, not a line."""
    runs: list[list[tuple[float, float]]] = []
    before: int | None = None
    for point in chart.points:
        step = (point.start - chart.start) // chart.step
        if before is None or step - before > _LONGEST_GAP:
            runs.append([])
        runs[-1].append((round((step + 0.5) * WIDTH / chart.steps, 1), _y(point.share)))
        before = step
    return Spark(
        lines=tuple(" ".join(f"{x},{y}" for x, y in run) for run in runs if len(run) > 1),
        dots=tuple(run[0] for run in runs if len(run) == 1),
        last=runs[-1][-1] if runs else None,
        usual_y=None if chart.usual is None else _y(chart.usual),
        told=_told(chart, name),
    )


def bar(counts: Mapping[Placement, int]) -> list[Segment]:
    """Divide a bar of length 100 among the decided placements."""
    total = sum(counts.get(p, 0) for p in BAR_ORDER)
    segments: list[Segment] = []
    start = 0.0
    for placement in BAR_ORDER:
        copies = counts.get(placement, 0)
        if copies:
            length = 100 * copies / total
            segments.append(Segment(placement, round(start, 2), round(length, 2), copies))
            start += length
    return segments


def bar_told(counts: Mapping[Placement, int]) -> str:
    """The bar in words: "inbox 12, spam 1"."""
    return ", ".join(f"{s.placement} {s.copies}" for s in bar(counts)) or "no copies"


def chart_table(
    axis: Chart, views: Sequence[ProviderView]
) -> list[tuple[datetime, list[Point | None]]]:
    """The charts as rows: a time, and each provider's point at it. Empty times are left out."""
    points = [{p.start: p for p in view.chart.points} for view in views]
    times = [axis.start + step * axis.step for step in range(axis.steps)]
    rows = [(at, [mine.get(at) for mine in points]) for at in times]
    return [(at, row) for at, row in rows if any(row)]


def _y(share: float) -> float:
    return round(EDGE + (1 - share) * (HEIGHT - 2 * EDGE), 1)


def _told(chart: Chart, name: str) -> str:
    if not chart.points:
        return f"{name}: no data in this span"
    worst = min(p.share for p in chart.points)
    return (
        f"{name}, share arriving over {span(chart.steps * chart.step)}: "
        f"lowest {percent(worst)}, latest {percent(chart.points[-1].share)}, "
        f"{counted(len(chart.points), 'point')}"
    )
