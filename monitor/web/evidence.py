"""What the headers of one received copy say, in words. Pure, and never raises:
the facts were read from a stranger's mail and may have any shape.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from math import isfinite

from monitor.web.filters import span

_METHODS = ("spf", "dkim", "dmarc", "arc", "compauth")
_MOST_FILTERS = 3
_MOST_FACTS = 8
_BAD = {"spam", "phish", "malware", "quarantined"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that the headers say. `value` and `detail` hold a stranger's words."""

    label: str
    value: str
    tone: str = ""  # "good", "bad", or nothing
    detail: str = ""


def findings(facts: Mapping[str, object]) -> list[Finding]:
    """Return what *facts* (the document of `seedwatch explain`) tell a person."""
    return [*_authentication(facts), *_filters(facts), *_transit(facts)]


def _authentication(facts: Mapping[str, object]) -> Iterator[Finding]:
    results = facts.get("authentication")
    if not isinstance(results, Mapping):
        return
    for method in _METHODS:
        result = results.get(method)
        if not isinstance(result, str) or not result:
            continue
        tone = "good" if result in {"pass", "bestguesspass"} else ""
        tone = "bad" if result in {"fail", "softfail", "permerror"} else tone
        reason = results.get("compauth_reason") if method == "compauth" else None
        yield Finding(method.upper(), result, tone, f"reason {reason}" if reason else "")


def _filters(facts: Mapping[str, object]) -> Iterator[Finding]:
    verdicts = facts.get("filters")
    if not isinstance(verdicts, list):
        return
    for verdict in verdicts[:_MOST_FILTERS]:
        if not isinstance(verdict, Mapping):
            continue
        judged = str(verdict.get("judged") or "unknown")
        tone = "bad" if judged in _BAD else "good" if judged == "clean" else ""
        said = [str(verdict.get("meaning") or "").rstrip(". "), _marks(verdict.get("facts"))]
        yield Finding(
            f"Filter {verdict.get('name') or 'unknown'}",
            judged,
            tone,
            "; ".join(filter(None, said)),
        )


def _marks(facts: object) -> str:
    """The filter's own marks, as it would write them: "scl 5, cat PHSH"."""
    if not isinstance(facts, Mapping):
        return ""
    plain = [
        f"{name} {value}"
        for name, value in facts.items()
        if isinstance(value, str | int | float) and not isinstance(value, bool) and value != ""
    ]
    return ", ".join(plain[:_MOST_FACTS])


def _transit(facts: Mapping[str, object]) -> Iterator[Finding]:
    seconds = facts.get("transit_s")
    if isinstance(seconds, int | float) and isfinite(seconds) and 0 <= seconds < 10**8:
        yield Finding("Time on the way", span(timedelta(seconds=seconds)))
