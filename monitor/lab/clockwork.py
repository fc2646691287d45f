"""What is due later, settled when somebody looks: the lab never waits for lab time."""

import heapq
import itertools
from collections.abc import Callable
from datetime import datetime

Deed = Callable[[datetime], None]


class Agenda:
    """A heap of deeds; equal moments keep the order in which they were added."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, int, Deed]] = []
        self._order = itertools.count()

    def add(self, due: datetime, deed: Deed) -> None:
        """Plan *deed*; it will be called with the moment it was due, not the moment it ran."""
        heapq.heappush(self._heap, (due, next(self._order), deed))

    def settle(self, now: datetime) -> None:
        """Do all that is due at *now*, oldest first, including what those deeds add."""
        while self._heap and self._heap[0][0] <= now:
            due, _, deed = heapq.heappop(self._heap)
            deed(due)

    def next_at(self) -> datetime | None:
        return self._heap[0][0] if self._heap else None
