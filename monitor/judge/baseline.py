"""What is usual: the share of bad copies of each sender at each provider, learnt slowly."""

import math
from dataclasses import astuple, dataclass, field
from typing import Any

HALF_LIFE_H = 30 * 24.0  # a month: slower than incidents, faster than a season
SHRINK = 4.0  # effective copies that the additive guess is worth beside own history
SHRINK_MARGIN = 8.0  # the same for one provider's or one sender's mean beside the mean of all
PRIOR_BAD, PRIOR_COPIES = 3.0, 30.0  # before any history: one copy in ten is bad
LEAST_BAD, MOST_BAD = 0.02, 0.95  # nothing is so good that a stray copy is a sensation
FORGET_H = 90 * 24.0  # three half-lives without a copy: as good as unknown


@dataclass(slots=True)
class Share:
    """Discounted counts of bad copies and of all copies."""

    bad: float = 0.0
    total: float = 0.0
    at: float = 0.0  # hours; when it was last added to

    def add(self, bad: float, total: float, at: float) -> None:
        keep = 0.5 ** (max(0.0, at - self.at) / HALF_LIFE_H)
        self.bad = self.bad * keep + bad
        self.total = self.total * keep + total
        self.at = max(self.at, at)


def _logit(share: float) -> float:
    return math.log(share / (1 - share))


RHYTHM_KEEP = 0.75  # memory of a weekday, a week: four such days
RHYTHM_PRIOR = 6.0  # lost copies' worth of being a day like the others
RHYTHM = (0.5, 2.0)  # bounds of a weekday's factor


@dataclass(slots=True)
class Week:
    """One provider's weekdays: shares lost, and expected, of the clusters of past days."""

    lost: list[float] = field(default_factory=lambda: [0.0] * 7)
    expected: list[float] = field(default_factory=lambda: [0.0] * 7)
    today: int = 0  # day number; what is learnt on a day counts from the next on
    lost_today: float = 0.0
    expected_today: float = 0.0

    def turn(self, day: int) -> None:
        """Begin *day*, if it has not begun."""
        if day <= self.today:
            return
        place = self.today % 7
        self.lost[place] = self.lost[place] * RHYTHM_KEEP + self.lost_today
        self.expected[place] = self.expected[place] * RHYTHM_KEEP + self.expected_today
        self.today, self.lost_today, self.expected_today = day, 0.0, 0.0


@dataclass(slots=True)
class Rhythm:
    """How each provider's share of bad copies differs by weekday.

    Days are counted in UTC from the Unix epoch; day 0 was a Thursday. A day's own mail does
    not change what is usual on it: else a slow decline would be taken for a bad Monday.
    """

    weeks: dict[str, Week] = field(default_factory=dict)

    def factor(self, provider: str, at: float) -> float:
        """By how much the usual share is to be multiplied at hour *at*."""
        week = self.weeks.get(provider)
        if week is None:
            return 1.0
        week.turn(int(at // 24))
        place = int(at // 24) % 7
        ratio = (week.lost[place] + RHYTHM_PRIOR) / (week.expected[place] + RHYTHM_PRIOR)
        return min(RHYTHM[1], max(RHYTHM[0], ratio))

    def learn(self, provider: str, at: float, lost: float, expected: float) -> None:
        """Add one cluster: its share of lost copies, and what was usual on any day."""
        week = self.weeks.setdefault(provider, Week(today=int(at // 24)))
        week.turn(int(at // 24))
        week.lost_today += lost
        week.expected_today += expected


@dataclass(slots=True)
class Baseline:
    """Usual shares, by sender and provider, shrunk to what each of both does otherwise.

    Names may be anything; the empty string stands for "all", so the key of a provider's
    own mean is ("", provider).
    """

    shares: dict[tuple[str, str], Share] = field(default_factory=dict)
    rhythm: Rhythm = field(default_factory=Rhythm)
    _providers: int = -1  # not counted yet

    def expected(self, sender: str, provider: str) -> float:
        """Usual share of bad copies of *sender* at *provider*."""
        everyone = self._shrunk("", "", PRIOR_BAD / PRIOR_COPIES, PRIOR_COPIES)
        here = self._shrunk("", provider, everyone, SHRINK_MARGIN)
        theirs = self._shrunk(sender, "", everyone, SHRINK_MARGIN)
        guess = 1 / (1 + math.exp(_logit(everyone) - _logit(here) - _logit(theirs)))
        return min(MOST_BAD, max(LEAST_BAD, self._shrunk(sender, provider, guess, SHRINK)))

    @property
    def providers(self) -> int:
        """How many providers have been heard of."""
        if self._providers < 0:
            self._providers = len({provider for _, provider in self.shares if provider})
        return self._providers

    def learn(self, sender: str, provider: str, bad: float, total: float, at: float) -> None:
        """Add copies, weighted by how sure it is that they met nothing unusual."""
        for key in (("", ""), ("", provider), (sender, ""), (sender, provider)):
            share = self.shares.get(key)
            if share is None:
                share = self.shares[key] = Share(at=at)
                self._providers = -1
            share.add(bad, total, at)

    def forget(self, now: float) -> None:
        """Drop senders and providers that have been silent for three months."""
        self.shares = {k: s for k, s in self.shares.items() if now - s.at < FORGET_H}
        self._providers = -1
        heard = {provider for _, provider in self.shares}
        self.rhythm.weeks = {p: week for p, week in self.rhythm.weeks.items() if p in heard}

    def _shrunk(self, sender: str, provider: str, guess: float, weight: float) -> float:
        share = self.shares.get((sender, provider))
        if share is None:
            return guess
        mean = (share.bad + weight * guess) / (share.total + weight)
        return min(1 - 1e-3, max(1e-3, mean))

    def snapshot(self) -> dict[str, Any]:
        rows = [[*key, share.bad, share.total, share.at] for key, share in self.shares.items()]
        weeks = {provider: list(astuple(week)) for provider, week in self.rhythm.weeks.items()}
        return {"shares": rows, "weeks": weeks}

    @classmethod
    def restore(cls, body: dict[str, Any]) -> "Baseline":
        shares = {(row[0], row[1]): Share(*row[2:]) for row in body["shares"]}
        weeks = {
            provider: Week(list(lost), list(expected), *today)
            for provider, (lost, expected, *today) in body["weeks"].items()
        }
        return cls(shares, Rhythm(weeks))
