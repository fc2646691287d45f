"""What we publish of providers' filters, as rows, and the pooled mail that it is made from."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlmodel import Session, col, select

from monitor.core.filter_states import Cell, pooled
from monitor.judge.rates import effective
from monitor.store import pages
from monitor.store.columns import saved
from monitor.store.feed_tables import FilterStateRow
from monitor.store.tables import CampaignRow, TestRow

KEPT = timedelta(days=91)


def cells(session: Session, *, since: datetime, until: datetime) -> Mapping[str, Cell]:
    """Pool the mail that was sent in a block, over all organisations, for each provider."""
    clusters = pages.clusters(session, since=since, until=until)
    senders = _senders(session, since, until)
    copies: dict[str, dict[int, dict[int, list[int]]]] = defaultdict(dict)
    for cluster in clusters:
        if cluster.counts:
            sender = senders[cluster.test_id]
            tests = copies[cluster.provider].setdefault(sender, {})
            counted = tests.setdefault(cluster.test_id, [0, 0])
            counted[0] += cluster.copies
            counted[1] += 0 if cluster.current.is_arrived else cluster.copies
    return {
        provider: pooled([_share(tests) for tests in by_sender.values()])
        for provider, by_sender in copies.items()
    }


def newest(session: Session) -> dict[str, FilterStateRow]:
    """Return the latest row of each provider."""
    rows = session.exec(select(FilterStateRow).order_by(col(FilterStateRow.at))).all()
    return {row.provider: row for row in rows}


def history(session: Session, *, since: datetime) -> dict[str, list[FilterStateRow]]:
    """Return each provider's rows after *since*, oldest first."""
    found: dict[str, list[FilterStateRow]] = defaultdict(list)
    rows = select(FilterStateRow).where(col(FilterStateRow.at) > since)
    for row in session.exec(rows.order_by(col(FilterStateRow.at))):
        found[row.provider].append(row)
    return found


def forget(session: Session, *, now: datetime) -> None:
    """Drop what is no longer shown."""
    session.execute(delete(FilterStateRow).where(col(FilterStateRow.at) < now - KEPT))


def _senders(session: Session, since: datetime, until: datetime) -> dict[int, int]:
    """The sender of each test of the block."""
    rows = (
        select(TestRow.id, CampaignRow.sender_id)
        .join(CampaignRow, col(CampaignRow.id) == col(TestRow.campaign_id))
        .where(col(TestRow.send_at) > since, col(TestRow.send_at) <= until)
    )
    return {saved(test): sender for test, sender in session.exec(rows).all()}


def _share(tests: Mapping[int, list[int]]) -> tuple[int, int, float]:
    """Copies, lost copies and effective copies of one sender's tests."""
    return (
        sum(n for n, _ in tests.values()),
        sum(bad for _, bad in tests.values()),
        sum(effective(n) for n, _ in tests.values()),
    )
