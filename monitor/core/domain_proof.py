"""Proof that a From domain is its organisation's own: a TXT record in its zone."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

LABEL = "_seedwatch"
PREFIX = "seedwatch-proof="
GRACE = timedelta(days=7)  # a record may be lost for so long before a proof is withdrawn

FRESH = timedelta(days=3)  # so long after it was claimed, a domain is looked at every hour
OFTEN, SELDOM = timedelta(minutes=55), timedelta(hours=23)  # of a schedule that comes each hour


@dataclass(frozen=True, slots=True)
class Record:
    """What must stand in the DNS."""

    name: str
    text: str

    def __str__(self) -> str:
        return f'{self.name} TXT "{self.text}"'


def record_for(domain: str, token: str) -> Record:
    """Return the record that proves *domain*."""
    return Record(f"{LABEL}.{domain}", f"{PREFIX}{token}")


def is_proof(texts: Sequence[str], token: str) -> bool:
    """Does one of the TXT records *texts* hold *token*? Others may stand beside it."""
    return any(text.strip().strip('"') == f"{PREFIX}{token}" for text in texts)


def covering(domain: str) -> list[str]:
    """Return *domain* and the domains above it, whose proof counts for it too.

    Who can write into example.org's zone can write what news.example.org is to be. A top-level
    domain proves nothing.
    """
    labels = domain.lower().rstrip(".").split(".")
    return [".".join(labels[n:]) for n in range(max(1, len(labels) - 1))]


def is_due(
    created_at: datetime, checked_at: datetime | None, *, is_settled: bool, now: datetime
) -> bool:
    """Is it time to look at a domain's record again?

    Args:
        is_settled: it is proven, and its record was there when we looked last.
    """
    if checked_at is None:
        return True
    is_often = not is_settled and now - created_at < FRESH
    return now - checked_at >= (OFTEN if is_often else SELDOM)
