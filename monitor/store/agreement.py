"""What the recipient of a route says of it, by the links in its mail. The caller commits."""

from datetime import datetime
from typing import Final

from sqlmodel import Session, col, update

from monitor.core.routes import About, Digest
from monitor.store.route_tables import RouteRow
from monitor.store.routes import shown
from monitor.store.verdict_tables import AlertRow

UNWANTED: Final = "its recipient wants no more of these messages"


def linked(session: Session, route_id: int) -> RouteRow | None:
    """Return the route that a link names; None if it was removed since."""
    route = session.get(RouteRow, route_id)
    return None if route is None or route.removed_at is not None else route


def stop_digests(session: Session, route: RouteRow, *, now: datetime) -> bool:
    """Send no more digests to *route*, nor those that are owed; False if none were sent."""
    was_sent = route.digest is not Digest.NONE
    route.digest = Digest.NONE
    session.add(route)
    _drop_owed(session, route, now, col(AlertRow.about) == About.DIGEST)
    return was_sent


def stop_all(session: Session, route: RouteRow, *, now: datetime) -> bool:
    """Send nothing to *route* until it is confirmed anew; False if nothing was sent anyway."""
    was_wanted = route.confirmed_at is not None
    stop_digests(session, route, now=now)
    route.confirmed_at, route.confirmed_by = None, ""
    session.add(route)
    _drop_owed(session, route, now)
    return was_wanted


def speaker(route: RouteRow) -> str:
    """How we call whoever acted on a link: an address, without what may be secret in it."""
    return route.address if route.kind == "email" else route.name or shown(route.address)


def _drop_owed(session: Session, route: RouteRow, now: datetime, *which: object) -> None:
    owed = [
        col(AlertRow.route_id) == route.id,
        col(AlertRow.sent_at).is_(None),
        col(AlertRow.dead_at).is_(None),
        *which,
    ]
    session.execute(update(AlertRow).where(*owed).values(dead_at=now, error=UNWANTED))  # type: ignore[arg-type]
