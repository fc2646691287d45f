"""The evidence table of an alert: few rows, and no other sender's name.

An alert may leave the organisation; who else is hit is told as a number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitor.alerts.words import guard, plain
from monitor.core.incidents import Direction, IncidentEvent, Tally
from monitor.core.intervals import wilson

MAX_CONTROLS = 10
_WORSE = ("hit", "spared")
_BETTER = ("whose mail fares better", "as usual")


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
    is_better = event.direction is Direction.BETTER
    hit, spared = _BETTER if is_better else _WORSE
    made = [
        _pooled("This sender" if own else _counted("sender", evidence.hit, hit), evidence.hit),
        _pooled(_counted("other sender", evidence.spared, spared), evidence.spared),
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
    worth = max(0.0, n_eff)
    pooled = wilson(bad / n * worth, worth)
    low, high = (tallies[0].low, tallies[0].high) if len(tallies) == 1 else pooled
    return Row(label, n, bad, n_eff, low, high, expected)
