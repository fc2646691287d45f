"""How a test goes out: by which way, and when each of its copies leaves."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

# The name of the way out by which nothing is sent: the sender's own service does it.
YOURS = "yours"

# So many copies may go to one provider before its rate counts: most lists are smaller, and
# a handful of messages is no burst.
FREE_COPIES = 20

MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Departure:
    """How the copies of a test go out."""

    transport: str = ""  # NAME of a [transports.NAME]; "" is [sending]
    over: timedelta = timedelta(0)  # spread evenly over so long
    copies_per_minute: float = 0  # to one provider, after the first FREE_COPIES; 0: no limit


AT_ONCE = Departure()


def leaving_times(
    providers: Sequence[str], departure: Departure, rng: random.Random
) -> list[timedelta]:
    """Say how long after the test's own time each copy leaves.

    The order is drawn by lot, so that neighbours in the list, which often belong together
    (one provider, one domain), are not neighbours in time. Where nothing is spread, nothing
    is drawn.

    Args:
        providers: of each copy, in the order of the list.

    Returns:
        one span for each of *providers*, none negative.
    """
    leaves = [timedelta(0)] * len(providers)
    if not departure.over and not _has_limit(providers, departure):
        return leaves
    order = list(range(len(providers)))
    rng.shuffle(order)
    before: Counter[str] = Counter()
    for place, copy in enumerate(order):
        provider = providers[copy]
        even = departure.over * ((place + rng.random()) / len(order))
        leaves[copy] = max(even, _no_sooner(before[provider], departure.copies_per_minute))
        before[provider] += 1
    return leaves


def _has_limit(providers: Sequence[str], departure: Departure) -> bool:
    largest = max(Counter(providers).values(), default=0)
    return departure.copies_per_minute > 0 and largest > FREE_COPIES


def _no_sooner(before: int, per_minute: float) -> timedelta:
    """When a copy may leave, with so many before it to the same provider."""
    beyond = before + 1 - FREE_COPIES
    if per_minute <= 0 or beyond <= 0:
        return timedelta(0)
    return MINUTE * (beyond / per_minute)
