"""What can be read off the copies of a test: how long they took, and how filters scored them."""

import math
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func
from sqlalchemy import select as sql_select
from sqlmodel import Session, SQLModel

from monitor.core.campaigns import Outcome
from monitor.core.departures import YOURS
from monitor.store.tables import TestRow

COPY, SEED, EVIDENCE, HANDOVER = (
    SQLModel.metadata.tables[name] for name in ("copy", "seed", "evidence", "handover")
)
CLOCKS_DIFFER = timedelta(minutes=5)  # between us and the provider, at most
OWN = "receiver"  # standing of what the receiver's own filter wrote
MICROSOFT = "microsoft"

Gauges = dict[str, dict[str, float]]  # name -> seed -> value


def of_test(session: Session, test: TestRow) -> dict[str, Gauges]:
    """Return the readings of a test's copies by provider, of those that have any.

    A delay is told only where both ends are: we handed the copy over ourselves, and the
    provider says when it came. When we found it says nothing, since we look by a ladder.
    """
    out_at = func.min(func.coalesce(HANDOVER.c.finished_at, HANDOVER.c.started_at))
    sent = (
        sql_select(HANDOVER.c.copy_id, out_at.label("at"))
        .where(HANDOVER.c.outcome == Outcome.ACCEPTED)
        .group_by(HANDOVER.c.copy_id)
        .subquery()
    )
    rows = session.execute(
        sql_select(
            COPY.c.provider,
            SEED.c.address,
            sql_select(sent.c.at).where(sent.c.copy_id == COPY.c.id).scalar_subquery(),
            EVIDENCE.c.received_at,
            EVIDENCE.c.facts,
        )
        .join(SEED, SEED.c.id == COPY.c.seed_id)
        .join(EVIDENCE, EVIDENCE.c.copy_id == COPY.c.id)
        .where(COPY.c.test_id == test.id)
        .order_by(SEED.c.address)
    )
    found: dict[str, Gauges] = {}
    for provider, address, sent_at, received_at, facts in rows:
        told = dict(_scores(facts))
        delay = None if test.transport == YOURS else delay_h(sent_at, received_at)
        if delay is not None:
            told["delay_h"] = delay
        for name, value in told.items():
            found.setdefault(provider, {}).setdefault(name, {})[address] = value
    return found


def delay_h(sent_at: datetime | None, received_at: datetime | None) -> float | None:
    """Hours from one to the other; None if one is not known, or the clocks cannot be right."""
    if sent_at is None or received_at is None or received_at < sent_at - CLOCKS_DIFFER:
        return None
    return max(0.0, (received_at - sent_at) / timedelta(hours=1))


def _scores(facts: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The receiver's own: Microsoft's levels, or the points of another filter."""
    for one in reversed(facts.get("filters") or []):  # the first of several is told last, and stays
        if one.get("standing") != OWN:
            continue
        names = ("scl", "bcl") if one.get("name") == MICROSOFT else ("score",)
        for name in names:
            value = one["facts"].get(name)
            if isinstance(value, int | float) and math.isfinite(value):
                yield name, float(value)
