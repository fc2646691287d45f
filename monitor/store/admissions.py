"""What of the advisories the judge is told. None of these functions commits."""

from datetime import datetime, timedelta

from sqlmodel import Session

from monitor.core.advisories import Story, providers_of
from monitor.core.observations import Admitted
from monitor.store import advisories, observations

STANDS = timedelta(days=7)  # at most, from its publication: some are never said to be over
TOLD_FOR = timedelta(hours=24)  # and then told again, while it stands
AGAIN = timedelta(hours=12)  # before that runs out
_LOOK_BACK = timedelta(days=14)


def tell(session: Session, *, now: datetime) -> int:
    """Tell the judge which advisories stand and which no longer do; return how many are news.

    An advisory stands while it is about mail, not resolved and not told under another id.
    """
    told = observations.admitted(session, since=now - _LOOK_BACK)
    news = 0
    for story in advisories.stories(session, since=now - _LOOK_BACK):
        over = _over(story, now)
        for provider in sorted(providers_of(story.provider)):
            known = max(told.get((provider, story.id), now), now)
            until = max(now, min(over, now + TOLD_FOR))
            is_due = until > known and (known == now or known - now < AGAIN)
            if is_due or until == now < known:
                observations.admit(session, Admitted(now, provider, story.id, until))
                news += 1
    if news:
        observations.wake_judge(session, now=now)
    return news


def _over(story: Story, now: datetime) -> datetime:
    """When it stands no longer; by now if it does not."""
    is_standing = story.is_about_mail and not story.is_resolved and not story.goes_on_as
    return story.published_at + STANDS if is_standing else now
