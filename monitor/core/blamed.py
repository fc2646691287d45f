"""Which mail is meant, in words: by the kind of the feature that is blamed."""

import re
from collections.abc import Iterable, Mapping

# Features are "kind:value" (core/observations.py); {} is the place of the value.
WHICH_MAIL: Mapping[str, str] = {
    "url": "that links to {}",
    "track": "with tracking links of {}",
    "dkim": "signed by {}",
    "ip": "sent from {}",
    "esp": "sent through {}",
    "attach": "with {} attachments",
    "region": "to its mailboxes in {}",  # of the provider
}
PLUS = "+"  # between the two features of a pair, as in esp:acme+url:lnk.example
_PAIR = re.compile(rf"{re.escape(PLUS)}(?=(?:{'|'.join(WHICH_MAIL)}):)")


def features_of(feature: str | None) -> list[str]:
    """The one or two features that an event's *feature* names; none if it names none."""
    return _PAIR.split(feature, maxsplit=1) if feature else []


def in_one(clauses: Iterable[str]) -> str:
    """Join clauses about the same mail: "sent through acme that links to lnk.example"."""
    return " and ".join(clauses).replace(" and that ", " that ")
