"""Placement tests: a campaign, a seed list, a time, and one copy for every seed."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlmodel import Session, col, select

from monitor.core.campaigns import Campaign
from monitor.core.errors import NotFoundError
from monitor.store import jobs
from monitor.store.columns import saved
from monitor.store.tables import CampaignRow, CopyRow, SeedRow, SenderRow, TestRow


def create(
    session: Session, test: TestRow, seeds: Sequence[SeedRow], *, name_copy: Callable[[int], str]
) -> TestRow:
    """Write *test*, its copies and the work due for it, in the caller's transaction.

    Nothing is sent before the caller's commit.

    Args:
        test: not yet in the session.
        seeds: who gets a copy.
        name_copy: the Message-ID of copy number n.
    """
    session.add(test)
    session.flush()
    for number, seed in enumerate(seeds):
        session.add(
            CopyRow(
                test_id=saved(test.id),
                seed_id=saved(seed.id),
                provider=seed.provider,
                message_id=name_copy(number),
            )
        )
    session.flush()
    for provider in sorted({seed.provider for seed in seeds}):
        jobs.put(
            session,
            "send",
            {"test": test.id, "provider": provider},
            unique_key=f"send:{test.id}:{provider}",
            due_at=test.send_at,
            lane=f"send:{provider}",
            max_attempts=50,
        )
    return test


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
