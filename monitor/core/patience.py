"""How long to wait before something that failed is tried again. Pure."""

import random
from datetime import timedelta
from typing import Final

FIRST_PAUSE: Final = timedelta(seconds=30)
LONGEST_PAUSE: Final = timedelta(hours=1)
FAILURES_TO_REST: Final = 5  # in a row
FIRST_REST: Final = timedelta(minutes=5)
LONGEST_REST: Final = timedelta(hours=1)


def pause(attempt: int, rng: random.Random) -> timedelta:
    """How long to wait after the *attempt*-th failure: doubling, with jitter, bounded."""
    doublings = min(attempt - 1, 20)
    longest: timedelta = min(FIRST_PAUSE * 2**doublings, LONGEST_PAUSE)
    return longest * rng.uniform(0.5, 1.0)


def rest(failures: int) -> timedelta | None:
    """How long a route is left alone after so many failures in a row; None: not at all."""
    if failures < FAILURES_TO_REST:
        return None
    doublings = min(failures - FAILURES_TO_REST, 20)
    longest: timedelta = min(FIRST_REST * 2**doublings, LONGEST_REST)
    return longest
