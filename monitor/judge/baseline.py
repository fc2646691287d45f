"""What is usual: the share of bad copies of each sender at each provider, learnt slowly."""

import math
from dataclasses import astuple, dataclass, field
from typing import Any

HALF_LIFE_H = 30 * 24.0  # a month: slower than incidents, faster than a season
SHRINK = 4.0  # effective copies that the additive guess is worth beside own history
SHRINK_MARGIN = 8.0  # the same for one provider's or one sender's mean beside the mean of all
PRIOR_BAD, PRIOR_COPIES = 3.0, 30.0  # before any history: one copy in ten is bad
LEAST_BAD, MOST_BAD = 0.02, 0.95  # nothing is so good that a stray copy is a sensation
KNOWN_COPIES = 300.0  # effective ones; ten times the prior's: what a level is then, it is
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


RHYTHM_KEEP = 0.75  # memory of a weekday, a week: four such days
SPREAD = 0.4  # variance of a cluster's share lost, over that of one copy
USUAL_RHYTHM, RHYTHM_DAYS = 0.3, 2.0  # log odds by which weekdays differ; worth so many days
LEAST_RHYTHM = 0.15  # less cannot be told from none
MOST_SHIFT = 2.5  # of a weekday, in log odds
_EMPTY = (0.0, 0.0, 0.0)  # clusters, their shares lost, their usual shares


@dataclass(slots=True)
class Week:
    """One provider's weekdays: what was learnt from the clusters of past days."""

    days: list[tuple[float, float, float]] = field(default_factory=lambda: [_EMPTY] * 7)
    day: int = 0  # number of the present one; what is learnt on it counts from the next on
    today: tuple[float, float, float] = _EMPTY

    def turn(self, day: int) -> None:
        """Begin *day*, if it has not begun."""
        if day > self.day:
            n, lost, usual = self.days[self.day % 7]
            more, more_lost, more_usual = self.today
            keep = RHYTHM_KEEP if more else 1.0
            self.days[self.day % 7] = (
                n * keep + more,
                lost * keep + more_lost,
                usual * keep + more_usual,
            )
            self.day, self.today = day, _EMPTY

    def shift(self) -> float:
        """By how much the log odds of a copy being bad differ on the present weekday.

        The more the provider's weekdays differ, the less a day is shrunk to the others.
        """
        n, lost, mean = self._compared()[self.day % 7]
        if not n:
            return 0.0
        prior = SPREAD / (mean * (1 - mean) * self._rhythm())
        seen = _share(lost + prior * mean, n + prior)
        return min(MOST_SHIFT, max(-MOST_SHIFT, logit(seen) - logit(mean)))

    def _rhythm(self) -> float:
        """The variance of the days' log odds beyond chance (moments, shrunk to what is usual)."""
        beyond, known = RHYTHM_DAYS * USUAL_RHYTHM**2, RHYTHM_DAYS
        for n, lost, mean in self._compared():
            if n:
                moved = logit(_share(lost + 2 * mean, n + 2)) - logit(mean)
                beyond += moved**2 - SPREAD / (mean * (1 - mean) * (n + 2))
                known += 1
        return max(LEAST_RHYTHM**2, beyond / known)

    def _compared(self) -> list[tuple[float, float, float]]:
        """Of each weekday: clusters, their shares lost, and the share that is usual on any day.

        What is usual is learnt mostly from mail that looks usual, and weekdays from all: by
        what all days lose more, no day differs.
        """
        n, lost, usual = map(sum, zip(*self.days, strict=True))
        if not n:
            return self.days
        beyond = logit(_share(lost, n)) - logit(_share(usual, n))
        return [
            (count, bad, _shifted(_share(mean, count), beyond) if count else 0.0)
            for count, bad, mean in self.days
        ]


def _share(lost: float, n: float) -> float:
    return min(0.95, max(0.005, lost / n))


def _shifted(share: float, by: float) -> float:
    odds = share / (1 - share) * math.exp(by)
    return min(0.95, max(0.005, odds / (1 + odds)))


@dataclass(slots=True)
class Rhythm:
    """How each provider's share of bad copies differs by weekday.

    Days are counted in UTC from the Unix epoch; day 0 was a Thursday. A day's own mail does
    not change what is usual on it: else a slow decline would be taken for a bad Monday.
    """

    weeks: dict[str, Week] = field(default_factory=dict)

    def on(self, provider: str, at: float, usual: float) -> float:
        """What becomes of the share *usual* on the weekday of hour *at*."""
        week = self.weeks.get(provider)
        if week is None:
            return usual
        week.turn(int(at // 24))
        odds = usual / (1 - usual) * math.exp(week.shift())
        return odds / (1 + odds)

    def learn(self, provider: str, at: float, lost: float, usual: float, weight: float) -> None:
        """Add one cluster: its share lost, what is usual on any day, and how much it teaches."""
        week = self.weeks.setdefault(provider, Week(day=int(at // 24)))
        week.turn(int(at // 24))
        n, all_lost, all_usual = week.today
        week.today = (n + weight, all_lost + weight * lost, all_usual + weight * usual)


def logit(share: float) -> float:
    return math.log(share / (1 - share))


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
        guess = 1 / (1 + math.exp(logit(everyone) - logit(here) - logit(theirs)))
        return min(MOST_BAD, max(LEAST_BAD, self._shrunk(sender, provider, guess, SHRINK)))

    def copies(self, sender: str, provider: str) -> float:
        """How many effective copies of *sender* at *provider* have taught what is usual."""
        share = self.shares.get((sender, provider))
        return 0.0 if share is None else share.total

    @property
    def providers(self) -> int:
        """How many providers have been heard of."""
        if self._providers < 0:
            self._providers = len({provider for _, provider in self.shares if provider})
        return self._providers

    def levels(self) -> dict[str, float]:
        """Log odds of a copy being lost, of each provider whose mean is well known."""
        known = ((p, share) for (sender, p), share in self.shares.items() if p and not sender)
        return {
            p: logit(min(MOST_BAD, max(LEAST_BAD, share.bad / share.total)))
            for p, share in known
            if share.total >= KNOWN_COPIES
        }

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
            provider: Week([(n, lost, usual) for n, lost, usual in days], day, tuple(today))
            for provider, (days, day, today) in body["weeks"].items()
        }
        return cls(shares, Rhythm(weeks))
