"""Mail that is late wherever it goes: is it the sending service, the sender, or us?"""

from collections.abc import Iterator, Sequence

from monitor.core.incidents import Cause
from monitor.judge.claims import Claim
from monitor.judge.gauges.recent import Row, showing

FEWEST_SPARED = 2  # senders through other services, before a service can be told from all mail
MOST_STRAYS = 0.25  # of the others may be late as well, for reasons of their own
NEARLY_ALL = 0.75  # of the senders must be late before it is all mail


def claims(rows: Sequence[Row], least: float) -> Iterator[tuple[Claim, list[Row]]]:
    """Yield what may be said of *rows*, each with the rows that it is about.

    Args:
        rows: of campaigns, each in the middle of all providers, told of late.
        least: excess from which mail is late.
    """
    late = showing(rows, least)
    for esp in sorted({esp for row in rows for esp in row.esps}):
        own = [row for row in rows if esp in row.esps]
        inside = {row.sender for row in own}
        others = [is_late for sender, is_late in late.items() if sender not in inside]
        if len(others) >= FEWEST_SPARED and sum(others) <= MOST_STRAYS * len(others):
            yield Claim(Cause.ESP, esp=esp), own
    if late and sum(late.values()) >= NEARLY_ALL * len(late):
        yield Claim(Cause.MONITOR), list(rows)


def lone(rows: Sequence[Row], least: float) -> Iterator[tuple[Claim, list[Row]]]:
    """Yield each sender whose mail is late wherever it goes."""
    for sender, is_late in showing(rows, least).items():
        if is_late:
            yield Claim(Cause.SENDER, sender=sender), [r for r in rows if r.sender == sender]
