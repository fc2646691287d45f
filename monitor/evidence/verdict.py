"""What one filter thought of a message, in a form that all filters share."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

Fact = str | int | float | bool | Mapping[str, float | None] | None


class Judged(StrEnum):
    CLEAN = "clean"
    BULK = "bulk"
    SPAM = "spam"
    PHISH = "phish"
    MALWARE = "malware"
    QUARANTINED = "quarantined"
    UNKNOWN = "unknown"  # it left a mark that tells no verdict

    @property
    def taken_for(self) -> str:
        """The verdict as the end of "the filter took it for …"."""
        return {"clean": "no spam", "bulk": "bulk mail", "phish": "phishing"}.get(self, self)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One filter's word.

    `facts` are its own terms, `meaning` is for people, and `page` is where its vendor
    explains the terms ("" where there is no public page).
    """

    name: str
    facts: Mapping[str, Fact]
    judged: Judged
    meaning: str
    page: str = ""
