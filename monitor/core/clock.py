"""The only code that asks what time it is."""

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Time as an argument, so that tests and the demo can drive it."""

    def now(self) -> datetime:
        """Return the present moment, aware, in UTC."""
        ...

    def sleep(self, span: timedelta) -> None:
        """Return once *span* has passed on this clock."""
        ...


class SystemClock:
    """The wall clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, span: timedelta) -> None:
        time.sleep(max(0.0, span.total_seconds()))


class ManualClock:
    """A clock that stands still until somebody moves it. Safe between threads."""

    def __init__(self, start: datetime) -> None:
        if start.tzinfo is None:
            raise ValueError("a clock needs an aware datetime")
        self._now = start.astimezone(UTC)
        self._lock = threading.Lock()

    def now(self) -> datetime:
        with self._lock:
            return self._now

    def sleep(self, span: timedelta) -> None:
        """Move this clock by *span* at once."""
        self.set(self.now() + span)

    def set(self, moment: datetime) -> None:
        """Move to *moment*; never backwards."""
        with self._lock:
            self._now = max(self._now, moment.astimezone(UTC))
