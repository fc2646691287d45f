"""Listen: keep what a provider publishes about itself."""

import logging
from collections.abc import Sequence

from sqlmodel import Session, col, select

from monitor.core.clock import Clock
from monitor.core.errors import SeedwatchError
from monitor.core.ports import Advisory, StatusFeed
from monitor.store.verdict_tables import AdvisoryRow

log = logging.getLogger(__name__)


def listen(session: Session, feeds: Sequence[StatusFeed], clock: Clock) -> int:
    """Ask every feed and keep each new version of an advisory; return how many are new.

    A feed that fails is said so in the log and keeps no other from being read: the next
    turn comes in minutes anyway.
    """
    new = 0
    for feed in feeds:
        try:
            published = feed.advisories()
        except SeedwatchError as error:
            log.warning("the feed %s cannot be read: %s", feed.name, error)
            continue
        new += sum(_keep(session, advisory, clock) for advisory in published)
        session.commit()
    return new


def _keep(session: Session, advisory: Advisory, clock: Clock) -> bool:
    known = session.exec(
        select(AdvisoryRow).where(
            col(AdvisoryRow.advisory) == advisory.id,
            col(AdvisoryRow.updated_at) == advisory.updated_at,
        )
    ).first()
    if known is not None:
        return False
    session.add(
        AdvisoryRow(
            advisory=advisory.id,
            provider=advisory.provider,
            title=advisory.title[:500],
            text=advisory.text,
            started_at=advisory.started_at,
            ended_at=advisory.ended_at,
            published_at=advisory.published_at,
            updated_at=advisory.updated_at,
            is_resolved=advisory.is_resolved,
            url=advisory.url[:500],
            seen_at=clock.now(),
        )
    )
    return True
