"""From published rows to what the status page, its JSON and its feed tell. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from uuid import NAMESPACE_URL, uuid5

from monitor.core.filter_states import BLOCK, FilterState, block_before
from monitor.store.feed_tables import FilterStateRow

DAYS = 90
HOLDS = timedelta(hours=26)  # a row comes every day: after that, nobody knows
WORDS: Mapping[FilterState, str] = {
    FilterState.NORMAL: "normal",
    FilterState.DEGRADED: "degraded",
    FilterState.WRONG: "wrong",
    FilterState.UNKNOWN: "not enough data",
}


@dataclass(frozen=True, slots=True)
class Day:
    day: date
    state: FilterState  # the worst of the day


@dataclass(frozen=True, slots=True)
class Change:
    """A state that began; `id` stays the same for ever."""

    id: str
    provider: str
    name: str
    at: datetime
    state: FilterState
    sentence: str

    @property
    def word(self) -> str:
        return WORDS[self.state]


@dataclass(frozen=True, slots=True)
class FilterView:
    """One provider's line. Without a published figure, `row` has none: its shares are None."""

    provider: str
    name: str
    state: FilterState
    sentence: str
    since: datetime | None
    row: FilterStateRow | None
    days: Sequence[Day]
    changes: Sequence[Change]  # oldest first

    @property
    def word(self) -> str:
        return WORDS[self.state]

    @property
    def block(self) -> tuple[datetime, datetime] | None:
        """When the mail was sent that the figures are of."""
        if self.row is None or self.row.lost is None:
            return None
        start = block_before(self.row.at)
        return start, start + BLOCK

    @property
    def told(self) -> str:
        """The history in words: "80 days normal, 3 wrong"."""
        counted = Counter(day.state for day in self.days)
        parts = [f"{WORDS[s]} {counted[s]}" for s in reversed(list(FilterState)) if counted[s]]
        return f"Days of the last {DAYS}: {', '.join(parts)}."


def filter_view(
    provider: str, name: str, rows: Sequence[FilterStateRow], now: datetime
) -> FilterView:
    """Tell one provider from its published *rows* of the last days, oldest first."""
    last = rows[-1] if rows and now - rows[-1].at <= HOLDS else None
    changes = _changes(provider, name, rows, now)
    return FilterView(
        provider=provider,
        name=name,
        state=FilterState(last.state) if last else FilterState.UNKNOWN,
        sentence=last.sentence if last else f"Nothing was published of {name} lately.",
        since=changes[-1].at if last and changes else None,
        row=last,
        days=_days(rows, now),
        changes=changes,
    )


def worst_first(views: Sequence[FilterView]) -> list[FilterView]:
    return sorted(views, key=lambda v: (-v.state.rank, v.name.casefold()))


def latest_changes(views: Sequence[FilterView], limit: int) -> list[Change]:
    """The newest changes of all providers, newest first."""
    found = [change for view in views for change in view.changes]
    return sorted(found, key=lambda c: (c.at, c.provider), reverse=True)[:limit]


def _changes(
    provider: str, name: str, rows: Sequence[FilterStateRow], now: datetime
) -> list[Change]:
    """Each row that says another state than the one before it.

    The first row is a change where publishing began with it, not where earlier ones are no
    longer shown: an entry of the feed must not move from day to day.
    """
    first = [row for row in rows[:1] if row.at > now - timedelta(days=DAYS - 1)]
    begun = first + [row for before, row in pairwise(rows) if row.state != before.state]
    return [
        Change(
            id=uuid5(NAMESPACE_URL, f"{provider}/{row.at:%Y%m%dT%H%M}").urn,
            provider=provider,
            name=name,
            at=row.at,
            state=FilterState(row.state),
            sentence=row.sentence,
        )
        for row in begun
    ]


def _days(rows: Sequence[FilterStateRow], now: datetime) -> list[Day]:
    """The last days, today last; a day without any row is unknown."""
    worst: dict[date, FilterState] = {}
    for row in rows:
        day, state = row.at.date(), FilterState(row.state)
        worst[day] = max(worst.get(day, state), state, key=lambda s: s.rank)
    today = now.date()
    days = [today - timedelta(days=back) for back in range(DAYS - 1, -1, -1)]
    return [Day(day, worst.get(day, FilterState.UNKNOWN)) for day in days]
