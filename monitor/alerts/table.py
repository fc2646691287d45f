"""The evidence table of an alert: few rows, and no other sender's name.

An alert may leave the organisation; who else is hit is told as a number.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitor.alerts.words import guard, plain
from monitor.core.incidents import IncidentEvent, Tally

MAX_CONTROLS = 10
Z = 1.96  # for an interval of 95 %


@dataclass(frozen=True, slots=True)
class Row:
    """One line: `bad` of `n` copies did not reach the inbox. Shares are 0 to 1."""

    label: str
    n: int
    bad: int
    n_eff: float
    low: float
    high: float
    expected: float

    @property
    def share(self) -> float:
        return self.bad / self.n


def rows(event: IncidentEvent, names: Mapping[str, str]) -> list[Row]:
    """The hit, the spared, and the controls, each only if there is data for it."""
    evidence = event.evidence
    own = event.sender is not None and [t.name for t in evidence.hit] == [event.sender]
    hit = "This sender" if own else _counted("sender", evidence.hit, "hit")
    made = [
        _pooled(hit, evidence.hit),
        _pooled(_counted("other sender", evidence.spared, "spared"), evidence.spared),
        *(_pooled(_control(t, event, names), [t]) for t in evidence.controls[:MAX_CONTROLS]),
    ]
    return [row for row in made if row is not None]


def _counted(noun: str, tallies: Sequence[Tally], word: str) -> str:
    return f"{len(tallies)} {noun}{'' if len(tallies) == 1 else 's'} {word}"


def _control(tally: Tally, event: IncidentEvent, names: Mapping[str, str]) -> str:
    if tally.name.startswith("without "):
        return f"Other mail at {plain(names.get(event.provider or '', event.provider or 'it'))}"
    place = plain(names.get(tally.name, tally.name))
    return f"The same mail at {guard(place, event.feature)}"


def _pooled(label: str, tallies: Sequence[Tally]) -> Row | None:
    n = sum(tally.n for tally in tallies)
    if n == 0:
        return None
    bad = sum(tally.bad for tally in tallies)
    n_eff = sum(tally.n_eff for tally in tallies)
    expected = sum(tally.expected * tally.n for tally in tallies) / n
    low, high = (tallies[0].low, tallies[0].high) if len(tallies) == 1 else _wilson(bad / n, n_eff)
    return Row(label, n, bad, n_eff, low, high, expected)


def _wilson(share: float, n_eff: float) -> tuple[float, float]:
    """Wilson's score interval for *share* of *n_eff* independent copies (JASA 22, 1927)."""
    if n_eff <= 0:
        return 0.0, 1.0
    centre = share + Z * Z / (2 * n_eff)
    spread = Z * math.sqrt(share * (1 - share) / n_eff + Z * Z / (4 * n_eff * n_eff))
    scale = 1 + Z * Z / n_eff
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)
