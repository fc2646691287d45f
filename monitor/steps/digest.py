"""Digest: owe each route that wants one what happened since the last, in its own morning."""

from datetime import UTC, datetime, time, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlmodel import Session

from monitor.core.routes import Digest
from monitor.store import digests
from monitor.store.digests import Period
from monitor.store.route_tables import RouteRow
from monitor.store.verdict_tables import AlertRow

AT = time(8)  # by the route's clock
LATEST = timedelta(hours=20)  # after that, a digest that was missed is left out
_DAYS = {Digest.DAILY: 1, Digest.WEEKLY: 7}


def digest(session: Session, *, domain: str, now: datetime) -> list[AlertRow]:
    """Owe the digests whose morning has come, each once; the caller commits.

    Args:
        domain: of our Message-IDs.
    """
    owed = []
    for route in digests.wanting(session):
        period = period_of(route, now)
        topic = f"{period.end.astimezone(period.zone):%Y-%m-%d}"
        is_new = route.confirmed_at is not None and route.confirmed_at < period.end
        if is_new and now - period.end < LATEST and not digests.is_owed(session, route, topic):
            body = digests.counted(session, route, period)
            owed.append(digests.owe(session, route, topic, body, domain=domain, now=now))
    return [row for row in owed if row is not None]


def period_of(route: RouteRow, now: datetime) -> Period:
    """The day, or the week up to Monday, that ended last at eight by the route's clock."""
    zone = _zone(route.timezone)
    local = now.astimezone(zone)
    days = _DAYS[route.digest]
    end = local.date() - timedelta(days=local.weekday() if days > 1 else 0)
    if datetime.combine(end, AT, zone) > now:
        end -= timedelta(days=days)
    # By the calendar, so that it stays eight o'clock when summer time begins.
    start, until = (datetime.combine(d, AT, zone) for d in (end - timedelta(days=days), end))
    return Period(start.astimezone(UTC), until.astimezone(UTC), zone)


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # gone since it was entered; a folder
        return UTC
