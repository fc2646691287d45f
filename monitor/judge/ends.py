"""Why a case ends: trouble that is over, and what turned out not to be there."""

from datetime import datetime

from monitor.judge.hours import moment

FINE = "Later mail of the same kind is as usual."  # of a suspicion
LAPSED = "It has not been borne out for three days."
REFUTED = "Later results speak against it."
SILENT = "There has been no mail for a week to judge it by."

# What ends like this is not known to have lasted until any hour, whatever the last mail was.
_WITHOUT_END = frozenset({FINE, LAPSED, REFUTED, SILENT})


def lasted_until(healed: float | None, reason: str) -> datetime | None:
    """Since when mail is as usual, if *reason* says no other: only that may be told as an end."""
    return None if healed is None or reason in _WITHOUT_END else moment(healed)
