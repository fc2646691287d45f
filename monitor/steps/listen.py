"""Listen: keep what providers publish about themselves, every version of it."""

import logging
from collections.abc import Sequence
from datetime import datetime

from sqlmodel import Session

from monitor.core.clock import Clock
from monitor.core.errors import AgainLaterError, SeedwatchError
from monitor.core.ports import Published, StatusFeed, Validators
from monitor.store import admissions, advisories, feeds, jobs

log = logging.getLogger(__name__)


def listen(session: Session, ears: Sequence[StatusFeed], clock: Clock) -> int:
    """Ask every feed that does not rest, keep each new version; return how many are new.

    Commits feed by feed: one that fails is noted and rests for a while, and keeps no other
    from being read. Then the judge is told who admits trouble.
    """
    new = sum(_hear(session, feed, clock) for feed in ears)
    admissions.tell(session, now=clock.now())
    session.commit()
    return new


def _hear(session: Session, feed: StatusFeed, clock: Clock) -> int:
    row = feeds.known(session, feed.name)
    known, rests = Validators(row.etag, row.last_modified), feeds.is_resting(row, clock.now())
    session.commit()  # nothing is locked while a stranger takes its time
    if rests:
        return 0
    try:
        published = feed.ask(known)
    except SeedwatchError as error:
        log.warning("the feed %s cannot be read: %s", feed.name, error)
        wish = error.retry_after if isinstance(error, AgainLaterError) else None
        row = feeds.known(session, feed.name)
        feeds.failed(row, str(error), retry_after=wish, now=clock.now())
        session.commit()
        return 0
    new = _keep(session, feed.name, published, now=clock.now())
    session.commit()
    return new


def _keep(session: Session, name: str, published: Published, *, now: datetime) -> int:
    """Write what is new, the work that it brings and that the feed has answered, together."""
    kept = [advisories.keep(session, a, source=name, now=now) for a in published.advisories]
    if any(kept):
        jobs.put(session, "match", {}, unique_key=f"match:{name}:{now.isoformat()}", due_at=now)
    feeds.answered(feeds.known(session, name), published.validators, now=now)
    return sum(kept)
