"""What can be read off a copy, on which scale it is compared, and how it is told.

Delays are compared by their logarithm: three minutes that become two hours are as unusual
as ten that become seven hours. Filters' scores are compared as they are.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median_low

from monitor.core.observations import Observation
from monitor.core.placements import Placement
from monitor.judge.clusters import MOST_COPIES

HEAD_START_H = 5 / 60  # added to every delay: below five minutes, differences are nobody's concern
LONGEST_DELAY_H = 168.0


@dataclass(frozen=True, slots=True)
class Gauge:
    """One kind of reading. Figures but `low` and `high` are on the scale of comparison."""

    name: str
    low: float  # what is beyond these is taken for the nearer of them
    high: float
    least: float  # an excess smaller than this is nothing to tell anybody
    wobble: float  # spread of a provider's mean over hours, before it is learnt

    @property
    def is_delay(self) -> bool:
        return self.name == DELAY

    @property
    def label(self) -> str:
        """Its name for a person."""
        return {DELAY: "delay", "score": "spam score"}.get(self.name, self.name.upper())

    def scaled(self, value: float) -> float:
        bounded = min(self.high, max(self.low, value))
        return math.log(bounded + HEAD_START_H) if self.is_delay else bounded

    def value(self, scaled: float) -> float:
        """The reading for a figure on the scale; `scaled` the other way round."""
        return max(0.0, math.exp(scaled) - HEAD_START_H) if self.is_delay else scaled

    def told(self, value: float) -> str:
        """Write a reading for a person: "2 h 10 min", "4.5"."""
        return span(value) if self.is_delay else f"{value:.1f}"


DELAY = "delay_h"
KINDS: Mapping[str, Gauge] = {
    gauge.name: gauge
    for gauge in (
        # A usual three minutes that become fifteen are an excess of 0.9.
        Gauge(DELAY, 0.0, LONGEST_DELAY_H, least=0.9, wobble=0.3),
        Gauge("scl", -1.0, 9.0, least=0.5, wobble=0.2),
        Gauge("bcl", 0.0, 9.0, least=0.5, wobble=0.2),
        Gauge("score", -50.0, 50.0, least=0.5, wobble=0.2),
    )
}


def span(hours: float) -> str:
    """A length of time as a person says it, to the minute below a day."""
    minutes = round(hours * 60)
    if minutes < 1:
        return "less than 1 min"
    if minutes < 60:
        return f"{minutes} min"
    whole, rest = divmod(minutes, 60)
    if whole >= 24:
        return f"{round(hours)} h"
    return f"{whole} h {rest} min" if rest else f"{whole} h"


def read(observation: Observation) -> dict[str, float]:
    """What one cluster shows on each gauge, on the scale of comparison.

    Of delays the middle of the copies that came, so that one late copy decides nothing. Of
    scores the mean of the copies that reached the inbox: what a filter gave to mail that it
    put in spam is known from the placement already, and must not count twice.
    """
    found = {}
    for name, gauge in KINDS.items():
        values = observation.gauges.get(name)
        if not values:
            continue
        kept = [
            gauge.scaled(value)
            for seed, value in list(values.items())[:MOST_COPIES]
            if math.isfinite(value) and _counts(gauge, value, observation.placements.get(seed))
        ]
        if kept:
            found[name] = median_low(kept) if gauge.is_delay else sum(kept) / len(kept)
    return found


def _counts(gauge: Gauge, value: float, placement: Placement | None) -> bool:
    if gauge.is_delay:
        return value >= 0
    return placement is not None and (placement.is_arrived or placement is Placement.REMOVED)
