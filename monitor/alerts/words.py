"""Words for what an incident is about, safe to stand in a mail.

Names come from outside and may hold anything; and a domain that a filter blames must not
stand in the warning as itself, or the warning dies of what it reports.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

from monitor.core.blamed import WHICH_MAIL, features_of, in_one
from monitor.core.incidents import Cause, IncidentEvent
from monitor.core.placements import Placement

LONGEST = 120
LATE = "arrives late"  # what an incident that shows on a gauge alone is told for

_FATES = {
    Placement.SPAM: "goes to spam",
    Placement.QUARANTINE: "is quarantined",
    Placement.REJECTED: "is rejected",
    Placement.MISSING: "does not arrive",
    Placement.REMOVED: "is removed after delivery",
}
_LINKING = ("url", "track")
_REGION = "region"
# From how probable a cause must be to what we call ourselves then.
_SURE = ((0.99, "as good as certain"), (0.95, "very sure"), (0.8, "fairly sure"), (0, "not sure"))


def plain(text: str, longest: int = LONGEST) -> str:
    """One line of *text*: printable, shortened."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def moment(at: datetime) -> str:
    return f"{at.day} {at:%B %Y, %H:%M} UTC"


def guard(text: str, feature: str | None) -> str:
    """Write the blamed link domain with brackets, as in lnk[.]example[.]net."""
    for one in features_of(feature):
        kind, _, domain = one.partition(":")
        if kind in _LINKING and "." in domain:
            text = re.sub(
                re.escape(domain), lambda m: m[0].replace(".", "[.]"), text, flags=re.IGNORECASE
            )
    return text


def what(feature: str | None) -> str:
    """The clause that says which mail is meant: "that links to ..."; "" for all mail."""
    return in_one(map(_clause, features_of(feature)))


def _clause(feature: str) -> str:
    kind, _, value = feature.partition(":")
    return guard(WHICH_MAIL.get(kind, f"with {kind} {{}}").replace("{}", plain(value)), feature)


def fate(placements: Mapping[str, int]) -> str:
    """What mostly becomes of the copies that are hit."""
    counts = [(n, word) for word, n in placements.items() if word in set(_FATES) and n > 0]
    return _FATES[Placement(max(counts)[1])] if counts else "does not reach the inbox"


def region(feature: str | None) -> str:
    """The region whose mailboxes are meant; "" if none is."""
    named = [one.partition(":") for one in features_of(feature)]
    return next((plain(value) for kind, _, value in named if kind == _REGION), "")


def is_about_links(feature: str | None) -> bool:
    return any(one.partition(":")[0] in _LINKING for one in features_of(feature))


def certainty(event: IncidentEvent) -> str:
    """How sure we are of the cause: "very sure (98 %)"; "" if none is claimed or weighed."""
    probable = event.posterior.get(event.cause)
    if probable is None or event.cause is Cause.INSUFFICIENT:
        return ""
    word = next(word for least, word in _SURE if probable >= least or least == 0)
    shown = f"{min(99, int(100 * probable))} %" if probable < 1 else "over 99 %"
    return f"{word} ({shown})"


def path(text: str) -> str:
    """*text* as one step of a web address."""
    return quote(text, safe="")
