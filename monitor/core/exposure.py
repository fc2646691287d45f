"""How much of a list of recipients each mailbox provider receives, by MX. Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

OTHER = "other"  # a domain whose mail servers are of no provider that we know, or that has none
UNKNOWN = "unknown"  # the DNS gave no answer: this is not "other", and never 0


@dataclass(frozen=True, slots=True)
class Share:
    """What part of a list one provider receives, as far as the DNS answered.

    Recipients at domains that the DNS did not answer for may be anywhere, so that the true
    share lies between `low` and `high`; both are from 0 to 1, and exact, no samples.
    """

    provider: str
    recipients: int
    total: int  # of the list, at least 1
    unknown: int  # of them, those whose provider nobody could tell

    @property
    def low(self) -> float:
        return self.recipients / self.total

    @property
    def high(self) -> float:
        return min(1.0, (self.recipients + self.unknown) / self.total)

    @property
    def words(self) -> str:
        """The share for people: "31 %", "29 to 33 %", "less than 1 %"."""
        low, high = round(self.low * 100), round(self.high * 100)
        if high == 0:
            return "less than 1 %"
        if self.provider == UNKNOWN or low == high:
            return f"{low} %" if low else "less than 1 %"
        return f"{low} to {high} %"


@dataclass(frozen=True, slots=True)
class Exposure:
    """A list by provider: recipients of each, those without an answer under `unknown`."""

    recipients: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.recipients.values())

    @property
    def unknown(self) -> int:
        return self.recipients.get(UNKNOWN, 0)

    @property
    def shares(self) -> list[Share]:
        """Each provider's share, the largest first; what is no provider comes last."""
        order = sorted(self.recipients, key=lambda p: (p in {OTHER, UNKNOWN}, -self.recipients[p]))
        return [Share(p, self.recipients[p], self.total, self.unknown) for p in order]

    def at(self, provider: str) -> Share | None:
        """Return the share of *provider*.

        None if nothing can be said: the list is empty, or nobody's provider is known.
        """
        if self.total == self.unknown:
            return None
        return Share(provider, self.recipients.get(provider, 0), self.total, self.unknown)

    def as_json(self) -> dict[str, object]:
        """The shape that docs/api.md describes."""
        return {
            "total": self.total,
            "unknown": self.unknown,
            "providers": [
                {
                    "provider": share.provider,
                    "recipients": share.recipients,
                    "share": share.low,
                    "share_at_most": share.high,
                }
                for share in self.shares
            ],
        }


def exposure(domains: Mapping[str, int], providers: Mapping[str, str]) -> Exposure:
    """Sum recipients by provider.

    Args:
        domains: recipients of each domain.
        providers: the provider of each domain; one that is left out has had no answer.
    """
    sums: Counter[str] = Counter()
    for domain, recipients in domains.items():
        sums[providers.get(domain, UNKNOWN)] += recipients
    return Exposure(dict(sums))
