"""Listen: keep what a provider publishes about itself."""

from collections.abc import Sequence

from sqlmodel import Session, col, select

from monitor.core.clock import Clock
from monitor.core.ports import Advisory, StatusFeed
from monitor.store.verdict_tables import AdvisoryRow


def listen(session: Session, feeds: Sequence[StatusFeed], clock: Clock) -> int:
    """Ask every feed and keep each new version of an advisory; return how many are new.

    Raises:
        AgainLaterError, PersonNeededError: from the first feed that failed; what came
            before it is kept.
    """
    new = 0
    for feed in feeds:
        for advisory in feed.advisories():
            new += _keep(session, advisory, clock)
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
