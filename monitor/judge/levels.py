"""How little each provider has been losing, these eight weeks, on days when that was known.

What is usual is learnt, and a decline that went on unseen is half learnt. When it ends, mail
fares better than what is usual by then, and that is no news: the provider has been so before.
"""

from dataclasses import dataclass, field
from typing import Any

REMEMBERED = 56  # days: two half-lives of what is usual


@dataclass(slots=True)
class Levels:
    """Log odds of a copy being lost, one figure a provider and day, the oldest first."""

    days: dict[str, list[float]] = field(default_factory=dict)
    day: int = 0  # number of the latest one

    def note(self, day: int, levels: dict[str, float]) -> None:
        """Add the *levels* of *day*, once. Providers that are not among them are forgotten."""
        if day <= self.day:
            return
        self.day = day
        self.days = {
            provider: [*self.days.get(provider, []), level][-REMEMBERED:]
            for provider, level in levels.items()
        }

    def ebb(self, provider: str) -> float:
        """By how much its lowest level is below the present one, in log odds; 0 or less."""
        known = self.days.get(provider)
        return min(known) - known[-1] if known else 0.0

    def snapshot(self) -> list[Any]:
        return [self.day, self.days]

    @classmethod
    def restore(cls, body: list[Any]) -> "Levels":
        return cls({provider: list(known) for provider, known in body[1].items()}, body[0])
