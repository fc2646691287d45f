"""What a gauge usually shows for a sender at a provider, how far it strays, and when."""

import math
from dataclasses import astuple, dataclass, field
from typing import Any

from monitor.judge.baseline import FORGET_H, HALF_LIFE_H, SHRINK
from monitor.judge.gauges.kinds import KINDS

RIPE_H = 168.0  # before that, nothing is asked: a week shows what every night looks like
RIPE_READINGS = 50.0  # at the provider
SPREAD_PRIOR = 20.0  # readings that the gauge's own wobble is worth as their spread
HOUR_PRIOR = 5.0  # readings' worth of an hour of the day being like the others
HOUR_KEEP = 0.995  # memory of an hour of the day, a reading: 200 of them
UNREST_PRIOR = 48.0  # hourly questions that the gauge's own wobble is worth
MOST_UNREST = 3.0  # wobbles that one hour can teach: an incident is no rest
MOST_STRAY = 4.0  # spreads; a reading further off teaches no more than one so far
MOST_LEVELS = 20_000  # kept at once, those heard of last
HOURS = 24

Place = tuple[str, str]  # gauge and provider


@dataclass(slots=True)
class Level:
    """Discounted sums of readings, and of their squared distances from what was expected."""

    n: float = 0.0
    total: float = 0.0
    squares: float = 0.0
    at: float = 0.0

    def add(self, value: float, square: float, weight: float, at: float) -> None:
        keep = 0.5 ** (max(0.0, at - self.at) / HALF_LIFE_H) if self.n else 1.0
        self.n = self.n * keep + weight
        self.total = self.total * keep + weight * value
        self.squares = self.squares * keep + weight * square
        self.at = max(self.at, at)

    def mean(self, guess: float, worth: float) -> float:
        """The mean, if *guess* counts as *worth* readings."""
        return (self.total + worth * guess) / (self.n + worth) if self.n + worth else guess


@dataclass(slots=True)
class Usual:
    """The empty sender stands for all mail of a provider. Hours are counted from the epoch."""

    levels: dict[tuple[str, str, str], Level] = field(default_factory=dict)
    hours: dict[Place, list[list[float]]] = field(default_factory=dict)  # by hour of the day, UTC
    since: dict[Place, float] = field(default_factory=dict)  # the first mail that taught
    # By how much a provider's mean strays, by the length of time over which it is taken.
    unrest: dict[tuple[str, str, float], Level] = field(default_factory=dict)

    def expected(self, gauge: str, provider: str, sender: str, sent: float) -> float | None:
        """What the mail of *sender* that was sent at hour *sent* should show; None if unknown."""
        everyone = self.levels.get((gauge, provider, ""))
        if everyone is None:
            return None
        own = self.levels.get((gauge, provider, sender))
        mean = everyone.mean(0.0, 0.0)
        if own is not None:
            mean = own.mean(mean, SHRINK)
        return mean + self._shift(gauge, provider, sent)

    def _shift(self, gauge: str, provider: str, sent: float) -> float:
        """By how much this hour of the day differs at the provider."""
        hours = self.hours.get((gauge, provider))
        if hours is None:
            return 0.0
        n, total = hours[int(sent) % HOURS]
        return total / (n + HOUR_PRIOR)

    def variance(self, gauge: str, provider: str) -> float:
        """Of single readings around what was expected of them."""
        wobble = KINDS[gauge].wobble
        level = self.levels.get((gauge, provider, ""), Level())
        return (level.squares + SPREAD_PRIOR * wobble**2) / (level.n + SPREAD_PRIOR)

    def is_ripe(self, gauge: str, provider: str, now: float, part: float = 1.0) -> bool:
        """Is it known well enough, or to a part, what is usual at the provider?"""
        level = self.levels.get((gauge, provider, ""))
        known = level is not None and level.n >= RIPE_READINGS
        return known and now - self.since.get((gauge, provider), now) >= RIPE_H * part

    def learn(self, place: Place, sender: str, sent: float, value: float, *, weight: float) -> None:
        """Take in one reading; a weight below 1 for one that an incident explains."""
        gauge, provider = place
        self.since.setdefault(place, sent)
        shift = self._shift(gauge, provider, sent)
        expected = self.expected(gauge, provider, sender, sent)
        most = MOST_STRAY * math.sqrt(self.variance(gauge, provider))
        stray = 0.0 if expected is None else max(-most, min(most, value - expected))
        told = value if expected is None else expected + stray
        for name in ("", sender):
            level = self.levels.setdefault((gauge, provider, name), Level())
            level.add(told - shift, stray * stray, weight, sent)
        hour = self.hours.setdefault(place, [[0.0, 0.0] for _ in range(HOURS)])[int(sent) % HOURS]
        if expected is not None:
            hour[0] = hour[0] * HOUR_KEEP + weight
            hour[1] = hour[1] * HOUR_KEEP + weight * (stray + shift)

    def wobble(self, place: Place, span_h: float) -> float:
        """Variance of the mean over *span_h* hours at a provider where nothing is wrong."""
        prior = KINDS[place[0]].wobble ** 2
        level = self.unrest.get((*place, span_h), Level())
        return max(prior / 4, (level.squares + UNREST_PRIOR * prior) / (level.n + UNREST_PRIOR))

    def rest(self, place: Place, span_h: float, square: float, now: float) -> None:
        """Take in how far the mean over *span_h* hours strayed, beyond chance."""
        most = MOST_UNREST**2 * self.wobble(place, span_h)
        level = self.unrest.setdefault((*place, span_h), Level())
        level.add(0.0, min(most, max(0.0, square)), 1.0, now)

    def forget(self, now: float) -> None:
        """Drop what has been silent for three months, and the oldest beyond the bound."""
        levels = {k: v for k, v in self.levels.items() if now - v.at < FORGET_H}
        if len(levels) > MOST_LEVELS:
            newest = sorted(levels, key=lambda k: levels[k].at)[-MOST_LEVELS:]
            levels = {k: levels[k] for k in newest}
        self.levels = levels
        heard = {(gauge, provider) for gauge, provider, _ in levels}
        self.hours = {k: v for k, v in self.hours.items() if k in heard}
        self.since = {k: v for k, v in self.since.items() if k in heard}
        self.unrest = {k: v for k, v in self.unrest.items() if k[:2] in heard or not k[1]}

    def snapshot(self) -> dict[str, Any]:
        return {
            "levels": [[*key, *astuple(level)] for key, level in self.levels.items()],
            "hours": [[*place, hours] for place, hours in self.hours.items()],
            "since": [[*place, since] for place, since in self.since.items()],
            "unrest": [[*key, *astuple(level)] for key, level in self.unrest.items()],
        }

    @classmethod
    def restore(cls, body: dict[str, Any]) -> "Usual":
        return cls(
            {(row[0], row[1], row[2]): Level(*row[3:]) for row in body["levels"]},
            {(g, p): [list(hour) for hour in hours] for g, p, hours in body["hours"]},
            {(g, p): since for g, p, since in body["since"]},
            {(row[0], row[1], row[2]): Level(*row[3:]) for row in body["unrest"]},
        )
