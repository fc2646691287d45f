"""Placement tests: a campaign, a seed list, a time, and one copy for every seed."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, col, select

from monitor.core.campaigns import Campaign
from monitor.core.errors import NotFoundError
from monitor.core.observations import JUDGED
from monitor.core.placements import LADDER
from monitor.store import jobs
from monitor.store.columns import saved
from monitor.store.tables import CampaignRow, CopyRow, SeedRow, SenderRow, TestRow

# After the last rung of the ladder: time for copies that were deferred for a day, and for
# looks that were late.
ENDS_AFTER = timedelta(hours=30)

SEND_ATTEMPTS = 50  # of one job: a server that defers is given up before that


def create(
    session: Session,
    test: TestRow,
    seeds: Sequence[SeedRow],
    *,
    name_copy: Callable[[int], str],
    leaves: Sequence[timedelta] = (),
) -> list[CopyRow]:
    """Write *test* and its copies, in the caller's transaction; return the copies.

    Args:
        test: not yet in the session.
        seeds: who gets a copy.
        name_copy: the Message-ID of copy number n.
        leaves: how long after the test's time each copy is sent; empty for all at once.
    """
    session.add(test)
    session.flush()
    copies = [
        CopyRow(
            test_id=saved(test.id),
            seed_id=saved(seed.id),
            provider=seed.provider,
            message_id=name_copy(number),
            send_after=test.send_at + leaves[number] if any(leaves) else None,
        )
        for number, seed in enumerate(seeds)
    ]
    session.add_all(copies)
    session.flush()
    return copies


def put_sending(session: Session, test: TestRow, copies: Sequence[CopyRow]) -> None:
    """Put the work of sending *copies*, a job for each provider, due with its first copy.

    Nothing is sent before the caller's commit.
    """
    first: dict[str, datetime] = {}
    for copy in copies:
        leaves_at = copy.send_after or test.send_at
        first[copy.provider] = min(leaves_at, first.get(copy.provider, leaves_at))
    for provider, due_at in sorted(first.items()):
        jobs.put(
            session,
            "send",
            {"test": test.id, "provider": provider},
            unique_key=f"send:{test.id}:{provider}",
            due_at=due_at,
            lane=f"send:{provider}",
            max_attempts=SEND_ATTEMPTS,
        )


def put_rest(session: Session, test_id: int, provider: str, *, due_at: datetime) -> None:
    """Put the sending of what is still owed; who asks is sending, and has done its part.

    It begins no test, so that it takes no token of the provider's lane.
    """
    jobs.put(
        session,
        "send",
        {"test": test_id, "provider": provider},
        unique_key=f"send:{test_id}:{provider}:rest",
        due_at=due_at,
        max_attempts=SEND_ATTEMPTS,
    )


def put_verdicts(session: Session, test: TestRow) -> None:
    """Put what a test needs besides sending: its first judgement, and its end.

    Both count from when the last copy has left: one that is still to be sent is not late.
    """
    out_at = all_out_at(test)
    jobs.put(
        session,
        "observe",
        {"test": test.id, "look": 0},
        unique_key=f"observe:{test.id}:0",
        due_at=out_at + JUDGED[0],
    )
    put_end(session, test, due_at=out_at + LADDER[-1] + ENDS_AFTER)


def put_end(session: Session, test: TestRow, *, due_at: datetime) -> None:
    """Put the end of a test; one that it has already, at another time, stays."""
    jobs.put(
        session,
        "end",
        {"test": test.id},
        unique_key=f"end:{test.id}:{due_at:%Y%m%d%H%M}",
        due_at=due_at,
    )


def all_out_at(test: TestRow) -> datetime:
    """When the last copy of a test has left as planned: from then on it can be judged."""
    return test.send_at + timedelta(seconds=test.spread_s)


def by_key(session: Session, organisation_id: int, key: str) -> TestRow | None:
    """Return the test that the organisation made with this idempotency key."""
    return session.exec(
        select(TestRow).where(
            col(TestRow.organisation_id) == organisation_id, col(TestRow.idempotency_key) == key
        )
    ).first()


def by_uid(session: Session, uid: str) -> TestRow:
    """Return the test with this public id.

    Raises:
        NotFoundError: there is none.
    """
    found = session.exec(select(TestRow).where(col(TestRow.uid) == uid)).first()
    if found is None:
        raise NotFoundError(
            f"there is no test {uid!r}.", remedy="seedwatch test list shows all tests."
        )
    return found


def newest(session: Session, limit: int) -> list[TestRow]:
    """Return the latest tests, newest first."""
    return list(
        session.exec(
            select(TestRow)
            .order_by(col(TestRow.send_at).desc(), col(TestRow.id).desc())
            .limit(limit)
        ).all()
    )


def campaign_of(session: Session, test: TestRow) -> tuple[CampaignRow, SenderRow]:
    """Return what a test sends, and for whom."""
    return session.exec(
        select(CampaignRow, SenderRow)
        .join(SenderRow, col(SenderRow.id) == col(CampaignRow.sender_id))
        .where(col(CampaignRow.id) == test.campaign_id)
    ).one()


def message(row: CampaignRow) -> Campaign:
    """Return the message that a campaign row holds."""
    return Campaign(
        name=row.name,
        from_address=row.from_address,
        from_name=row.from_name,
        subject=row.subject,
        text=row.text,
        html=row.html,
        headers=tuple(row.headers.items()),
    )


def feature_list(features: Iterable[str]) -> dict[str, Any]:
    """The form in which a test keeps its features."""
    return {"all": sorted(features)}
