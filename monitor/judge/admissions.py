"""What providers admit, for as long as it stands: who admits trouble is believed sooner."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from monitor.judge.explain import plain

MOST = 50  # advisories of one provider
LISTED = 3  # that a sentence names


@dataclass(slots=True)
class Admissions:
    """Advisories by provider, each with the hour until which it stands."""

    standing: dict[str, dict[str, float]] = field(default_factory=dict)

    def hear(self, provider: str, advisory: str, until: float, now: float) -> None:
        """Note an advisory that stands *until* then; it does no longer if that is over."""
        self.forget(now)
        known = self.standing.setdefault(provider, {})
        known.pop(advisory, None)
        if until > now and len(known) < MOST:
            known[advisory] = until
        if not known:
            del self.standing[provider]

    def providers(self, now: float) -> frozenset[str]:
        """Who admits trouble at hour *now*."""
        return frozenset(p for p in self.standing if self.of(p, now))

    def of(self, provider: str, now: float) -> list[str]:
        known = self.standing.get(provider, {})
        return [advisory for advisory, until in known.items() if until > now]

    def forget(self, now: float) -> None:
        for provider in list(self.standing):
            left = {a: until for a, until in self.standing[provider].items() if until > now}
            if left:
                self.standing[provider] = left
            else:
                del self.standing[provider]

    def snapshot(self) -> list[list[Any]]:
        return [[p, a, until] for p, known in self.standing.items() for a, until in known.items()]

    @classmethod
    def restore(cls, rows: Iterable[list[Any]]) -> "Admissions":
        admissions = cls()
        for provider, advisory, until in rows:
            admissions.standing.setdefault(provider, {})[advisory] = until
        return admissions


def admitted(name: str, advisories: list[str]) -> str:
    """The sentence about it: "Microsoft 365 admits trouble (EX1227432)."; "" without any."""
    if not advisories:
        return ""
    shown = ", ".join(plain(advisory) for advisory in advisories[:LISTED])
    return f"{plain(name)} admits trouble ({shown})."
