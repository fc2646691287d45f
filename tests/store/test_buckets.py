"""How fast each lane may go."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import Session

from monitor.core.clock import ManualClock
from monitor.core.errors import BadInputError
from monitor.store import buckets, jobs
from monitor.store.work_tables import BucketRow

LEASE = timedelta(hours=5)
SECOND = timedelta(seconds=1)
START = datetime(2026, 3, 2, 8, tzinfo=UTC)


def put(session: Session, clock: ManualClock, lane: str, count: int) -> None:
    for number in range(count):
        key = f"{lane}:{number}"
        jobs.put(session, "look", {}, unique_key=key, due_at=clock.now(), lane=lane)


def claim(session: Session, clock: ManualClock, limit: int = 100) -> Counter[str]:
    found = jobs.claim(session, now=clock.now(), lease=LEASE, limit=limit)
    return Counter(job.lane for job in found)


def test_a_limited_lane_gives_its_burst_then_its_rate(session: Session, clock: ManualClock) -> None:
    buckets.set_rate(session, "gmail", rate_per_s=2, burst=3, now=clock.now())
    put(session, clock, "gmail", 10)
    got = []
    for _ in range(5):
        got.append(claim(session, clock)["gmail"])
        clock.sleep(SECOND)
    assert got == [3, 2, 2, 2, 1]


def test_a_full_lane_does_not_hold_up_the_others(session: Session, clock: ManualClock) -> None:
    """Its many due jobs stand before all others in the line."""
    buckets.set_rate(session, "gmail", rate_per_s=1, burst=2, now=clock.now())
    put(session, clock, "gmail", 200)
    clock.sleep(SECOND)
    put(session, clock, "yahoo", 5)
    assert claim(session, clock, limit=10) == {"gmail": 2, "yahoo": 5}


def test_next_due_waits_for_the_lanes_next_token(session: Session, clock: ManualClock) -> None:
    buckets.set_rate(session, "gmail", rate_per_s=0.25, burst=1, now=clock.now())
    put(session, clock, "gmail", 2)
    assert jobs.next_due(session) == clock.now()
    claim(session, clock)
    due = jobs.next_due(session)
    assert due == clock.now() + timedelta(seconds=4)
    clock.set(due)
    assert claim(session, clock) == {"gmail": 1}


def test_a_new_rate_keeps_what_was_saved_up_to_the_new_burst(
    session: Session, clock: ManualClock
) -> None:
    buckets.set_rate(session, "gmail", rate_per_s=1, burst=10, now=clock.now())
    buckets.set_rate(session, "gmail", rate_per_s=1, burst=4, now=clock.now())
    put(session, clock, "gmail", 10)
    assert claim(session, clock) == {"gmail": 4}


@pytest.mark.parametrize(("rate", "burst"), [(0, 1), (-1, 5), (1, 0.5), (float("nan"), 1)])
def test_a_rate_that_lets_nothing_through_is_refused(
    session: Session, clock: ManualClock, rate: float, burst: float
) -> None:
    with pytest.raises(BadInputError, match="lets nothing through"):
        buckets.set_rate(session, "gmail", rate_per_s=rate, burst=burst, now=clock.now())


@given(
    rate=st.floats(0.001, 1000),
    burst=st.floats(1, 100),
    steps=st.lists(st.integers(1, 10_000_000), min_size=1, max_size=30),
)
def test_no_way_of_asking_gets_more_than_burst_and_rate_allow(
    rate: float, burst: float, steps: list[int]
) -> None:
    """Tokens are taken as soon as there is a whole one, after waits of any length."""
    clock = ManualClock(START)
    bucket = BucketRow(
        lane="x", tokens=burst, rate_per_s=rate, burst=burst, refilled_at=clock.now()
    )
    taken = 0
    for step in steps:
        clock.sleep(timedelta(microseconds=step))
        whole = int(buckets.filled(bucket, clock.now()) + 1 - buckets.WHOLE)
        bucket.tokens = buckets.filled(bucket, clock.now()) - whole
        bucket.refilled_at = clock.now()
        taken += whole
    allowed = burst + (clock.now() - START).total_seconds() * rate
    assert taken <= allowed + 1e-6


def test_whoever_takes_tokens_gets_no_more_than_there_are(
    session: Session, clock: ManualClock
) -> None:
    buckets.set_rate(session, "transport:bulk", rate_per_s=1, burst=5, now=clock.now())
    granted = []
    for _ in range(3):
        granted.append(buckets.grant(session, "transport:bulk", 4, now=clock.now()))
        clock.sleep(2 * SECOND)
    assert granted == [4, 3, 2]
    assert buckets.next_token(session, "transport:bulk") == clock.now() - SECOND
    assert buckets.grant(session, "nobody limits me", 1000, now=clock.now()) == 1000
    assert buckets.next_token(session, "nobody limits me") is None
