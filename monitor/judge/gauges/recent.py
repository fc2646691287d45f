"""The campaigns of the last two days, with what each showed at every provider."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from monitor.core.observations import Observation
from monitor.judge.claims import ESP
from monitor.judge.clusters import LONGEST, MOST_FEATURES
from monitor.judge.gauges.kinds import KINDS
from monitor.judge.gauges.usual import Usual
from monitor.judge.hours import hours

KEPT_H = 48.0  # then a campaign teaches what is usual: mail a day late is still compared
MOST_TESTS = 5_000  # kept at once, the newest
DIGITS = 4  # of what is kept of a reading: a third of a second, a ten-thousandth of a point
MOST_PROVIDERS = 64  # of one campaign


@dataclass(slots=True)
class Shown:
    """What one cluster shows on one gauge, and what was to be expected; rounded, for snapshots."""

    after: float  # hours after it was sent, when it was told last
    value: float
    usual: float | None

    @property
    def excess(self) -> float:
        return 0.0 if self.usual is None else self.value - self.usual


@dataclass(slots=True)
class Campaign:
    """Hours are counted from the Unix epoch."""

    sender: str
    sent: float
    heard: float
    esps: tuple[str, ...]
    shown: dict[str, dict[str, Shown]] = field(default_factory=dict)  # by gauge and provider


@dataclass(frozen=True, slots=True)
class Row:
    """One campaign at one provider, or everywhere, on one gauge."""

    test: str
    sender: str
    esps: tuple[str, ...]
    sent: float
    at: float
    value: float
    usual: float
    excess: float  # beyond what is usual, less what the same campaign shows elsewhere


@dataclass(slots=True)
class Recent:
    """Campaigns in the order in which they were first heard of."""

    campaigns: dict[str, Campaign] = field(default_factory=dict)

    def take(
        self, observation: Observation, found: Mapping[str, float], at: float, usual: Usual
    ) -> None:
        """Take in what one cluster shows."""
        test, provider = observation.test[:LONGEST], observation.provider[:LONGEST]
        campaign = self.campaigns.get(test)
        if campaign is None:
            campaign = self.campaigns[test] = _campaign(observation, at)
        after = round(at - campaign.sent, DIGITS)
        for gauge, exact in found.items():
            value = round(exact, DIGITS)
            shown = campaign.shown.setdefault(gauge, {})
            known = shown.get(provider)
            if known is None and len(shown) < MOST_PROVIDERS:
                expected = usual.expected(gauge, provider, campaign.sender, campaign.sent)
                told = None if expected is None else round(expected, DIGITS)
                shown[provider] = Shown(after, value, told)
            elif known is not None and known.value != value:
                known.after, known.value = max(known.after, after), value

    def leave(self, now: float) -> Iterator[Campaign]:
        """Forget the campaigns that are old enough, or too many, and hand them out."""
        while self.campaigns:
            test, oldest = next(iter(self.campaigns.items()))
            if now - oldest.heard <= KEPT_H and len(self.campaigns) <= MOST_TESTS:
                return
            yield self.campaigns.pop(test)

    def by_provider(self, gauge: str) -> dict[str, list[Row]]:
        """Every reading of *gauge* of which the usual is known, by provider.

        From a delay is taken off what the same campaign is late elsewhere, in the middle of
        the other providers. Scores are compared with nothing: only filters of one family
        write the same, and what moves them moves them together.
        """
        rows: dict[str, list[Row]] = {}
        for test, campaign in self.campaigns.items():
            known = _known(campaign, gauge)
            for provider, shown in known.items():
                others = [s.excess for p, s in known.items() if p != provider]
                control = median(others) if others and KINDS[gauge].is_delay else 0.0
                rows.setdefault(provider, []).append(_row(test, campaign, shown, control))
        return rows

    def everywhere(self, gauge: str) -> list[Row]:
        """What campaigns show in the middle of all providers, of those seen at two or more."""
        rows = []
        for test, campaign in self.campaigns.items():
            known = list(_known(campaign, gauge).values())
            if len(known) > 1:
                usual = median(s.usual or 0.0 for s in known)
                excess = median(s.excess for s in known)
                latest = max(s.after for s in known)
                rows.append(_row(test, campaign, Shown(latest, usual + excess, usual), 0.0))
        return rows

    def snapshot(self) -> list[Any]:
        return [
            [
                test,
                [c.sender, c.sent, c.heard, list(c.esps)],
                {
                    gauge: {p: [s.after, s.value, s.usual] for p, s in shown.items()}
                    for gauge, shown in c.shown.items()
                },
            ]
            for test, c in self.campaigns.items()
        ]

    @classmethod
    def restore(cls, body: list[Any]) -> "Recent":
        recent = cls()
        for test, (sender, sent, heard, esps), gauges in body:
            campaign = Campaign(sender, sent, heard, tuple(esps))
            for gauge, shown in gauges.items():
                campaign.shown[gauge] = {p: Shown(*numbers) for p, numbers in shown.items()}
            recent.campaigns[test] = campaign
        return recent


def _campaign(observation: Observation, at: float) -> Campaign:
    esps = sorted(f[:LONGEST] for f in observation.features if f.startswith(ESP))[:MOST_FEATURES]
    names = tuple(esp.removeprefix(ESP) for esp in esps)
    return Campaign(observation.sender[:LONGEST], min(at, hours(observation.sent_at)), at, names)


def _known(campaign: Campaign, gauge: str) -> dict[str, Shown]:
    shown = campaign.shown.get(gauge, {})
    return {provider: s for provider, s in shown.items() if s.usual is not None}


def _row(test: str, campaign: Campaign, shown: Shown, control: float) -> Row:
    return Row(
        test,
        campaign.sender,
        campaign.esps,
        campaign.sent,
        campaign.sent + shown.after,
        shown.value,
        shown.usual or 0.0,
        shown.excess - control,
    )


def showing(rows: Iterable[Row], least: float) -> dict[str, bool]:
    """By sender: is the mean excess of its *rows* so large?"""
    groups: dict[str, list[float]] = {}
    for row in rows:
        groups.setdefault(row.sender, []).append(row.excess)
    return {sender: sum(group) / len(group) >= least for sender, group in groups.items()}
