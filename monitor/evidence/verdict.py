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


@dataclass(frozen=True, slots=True)
class Verdict:
    """One filter's word. `facts` are its own terms; `meaning` is for people."""

    name: str
    facts: Mapping[str, Fact]
    judged: Judged
    meaning: str
