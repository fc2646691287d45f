"""Routes as rows: who is told, and whether they agreed. The caller commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeVar

from sqlmodel import Session, col, select, update

from monitor.core.addresses import split_url
from monitor.core.errors import BadInputError, NotFoundError
from monitor.core.incidents import Cause
from monitor.core.quiet import quiet_hours
from monitor.core.routes import Audience, Digest, Severity
from monitor.evidence import mime
from monitor.store.columns import saved
from monitor.store.route_tables import RouteRow
from monitor.store.tables import SenderRow
from monitor.store.verdict_tables import AlertRow

KINDS: Final = ("email", "webhook", "apprise")
MAX_ADDRESS: Final = 2000
MAX_REMIND_HOURS: Final = 24 * 30.0
BY_HAND: Final = "operator"  # these three: who says that a route is wanted
BY_LINK: Final = "link"
BY_TRIAL: Final = "trial"  # it answered a signed delivery
REMOVED: Final = "the route was removed"

Word = TypeVar("Word", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Choices:
    """What a person may choose of a route, as they write it; None leaves it as it is."""

    name: str | None = None
    audience: str | None = None
    least: str | None = None
    causes: tuple[str, ...] | None = None  # (): all
    timezone: str | None = None
    quiet: str | None = None  # "22:00-07:00"; "": never
    digest: str | None = None
    remind_hours: float | None = None
    second: int | None = None  # another route's id; 0: none


def add(
    session: Session,
    organisation_id: int,
    kind: str,
    address: str,
    *,
    sender_id: int | None = None,
    now: datetime,
) -> RouteRow:
    """Write a route that nothing goes to before it is confirmed; `choose` and secrets come after.

    One that was removed comes back as a new one would be.

    Raises:
        BadInputError: no such kind, no address of this kind, or it is there already.
    """
    checked = checked_address(kind, address)
    known = _same(session, organisation_id, sender_id, kind, checked)
    if known is not None and known.removed_at is None:
        raise BadInputError(
            "address",
            shown(checked),
            f"is route {known.id} already",
            remedy=f"See: seedwatch routes show {known.id}",
        )
    row = known or RouteRow(
        organisation_id=organisation_id, sender_id=sender_id, kind=kind, address=checked
    )
    fresh = RouteRow(
        id=row.id,
        organisation_id=organisation_id,
        sender_id=sender_id,
        kind=kind,
        address=checked,
        created_at=now,
    )
    row = session.merge(fresh)
    session.flush()
    return row


def checked_address(kind: str, address: str) -> str:
    """Return *address* as it is kept.

    Raises:
        BadInputError: no such kind, or no address of this kind.
    """
    if kind not in KINDS:
        raise BadInputError("kind", kind, "is unknown", remedy=f"One of: {', '.join(KINDS)}.")
    if kind == "email":
        return mime.check_address("address", address)
    if len(address) > MAX_ADDRESS:
        raise BadInputError(
            "address", shown(address), "is too long", remedy=f"Keep it below {MAX_ADDRESS + 1}."
        )
    if kind == "webhook" and split_url(address) is None:
        raise BadInputError(
            "address",
            shown(address),
            "is no web address that can be told",
            remedy="Write https://HOST/PATH, without blanks, user or password.",
        )
    return address


def shown(address: str) -> str:
    """What an error may show of an address: whatever follows the host may be a secret."""
    parts = split_url(address)
    if parts is None:
        return address.partition(":")[0] if "://" in address else address
    return f"{parts.scheme}://{parts.netloc}/..."


def choose(session: Session, route: RouteRow, choices: Choices) -> None:
    """Take over what is chosen, all or nothing.

    Raises:
        BadInputError: names the field, the value, and what to write.
    """
    timezone = choices.timezone if choices.timezone is not None else route.timezone
    start, end = route.quiet_from, route.quiet_to
    if choices.quiet is not None:
        start, end = _quiet(choices.quiet)
    quiet_hours(timezone, start, end)
    second = _second(session, route, choices.second)
    audience = _word("audience", Audience, choices.audience, route.audience)
    least = _word("least", Severity, choices.least, route.least)
    digest = _word("digest", Digest, choices.digest, route.digest)
    causes = route.causes if choices.causes is None else _causes(choices.causes)
    hours = route.remind_hours if choices.remind_hours is None else _hours(choices.remind_hours)
    name = route.name if choices.name is None else _name(choices.name)
    route.timezone, route.quiet_from, route.quiet_to = timezone, start, end
    route.second_id, route.audience, route.least = second, audience, least
    route.digest, route.causes, route.remind_hours, route.name = digest, causes, hours, name
    session.add(route)
    session.flush()


def find(session: Session, organisation_id: int, route_id: int) -> RouteRow:
    """Return a route of this organisation.

    Raises:
        NotFoundError: it has none of this id.
    """
    row = session.get(RouteRow, route_id)
    if row is None or row.organisation_id != organisation_id or row.removed_at is not None:
        raise NotFoundError(f"there is no route {route_id}.", remedy="See: seedwatch routes list")
    return row


def of_organisation(session: Session, organisation_id: int) -> list[RouteRow]:
    """Return all routes that were not removed, oldest first."""
    mine = select(RouteRow).where(
        col(RouteRow.organisation_id) == organisation_id, col(RouteRow.removed_at).is_(None)
    )
    return list(session.exec(mine.order_by(col(RouteRow.id))).all())


def sender_id_of(session: Session, organisation_id: int, domain: str) -> int:
    """Return the sender with this From domain.

    Raises:
        NotFoundError: there is none.
    """
    found = session.exec(
        select(SenderRow.id).where(
            col(SenderRow.organisation_id) == organisation_id,
            col(SenderRow.from_domain) == domain.lower(),
        )
    ).first()
    if found is None:
        raise NotFoundError(
            f"there is no sender {domain!r}.",
            remedy="It is known once a test was sent: seedwatch test send MESSAGE.eml",
        )
    return found


def confirm(session: Session, route: RouteRow, by: str, *, now: datetime) -> bool:
    """Write down that *route* is wanted, and who says so; False if that is known already."""
    if route.confirmed_at is not None:
        return False
    route.confirmed_at, route.confirmed_by = now, by[:100]
    session.add(route)
    return True


def resume(session: Session, route: RouteRow) -> bool:
    """Tell a suspended or resting route again; False if it is neither."""
    was_still = route.suspended_at is not None or route.rests_until is not None
    route.suspended_at, route.suspended_why = None, ""
    route.failures, route.rests_until = 0, None
    session.add(route)
    return was_still


def remove(session: Session, route: RouteRow, *, now: datetime) -> None:
    """Tell *route* nothing any more, and forget its secret. What it was told stays in the log."""
    route.removed_at = route.suspended_at = now
    route.suspended_why, route.secret, route.confirmed_at = REMOVED, b"", None
    route.second_id = None
    session.add(route)
    session.execute(
        update(RouteRow).where(col(RouteRow.second_id) == route.id).values(second_id=None)
    )
    session.execute(
        update(AlertRow)
        .where(
            col(AlertRow.route_id) == route.id,
            col(AlertRow.sent_at).is_(None),
            col(AlertRow.dead_at).is_(None),
        )
        .values(dead_at=now, error=REMOVED)
    )


def _same(
    session: Session, organisation_id: int, sender_id: int | None, kind: str, address: str
) -> RouteRow | None:
    """The route of this address. (Where the sender is NULL, no constraint finds it.)"""
    return session.exec(
        select(RouteRow).where(
            col(RouteRow.organisation_id) == organisation_id,
            col(RouteRow.sender_id).is_not_distinct_from(sender_id),
            col(RouteRow.kind) == kind,
            col(RouteRow.address) == address,
        )
    ).first()


def _word(field: str, kind: type[Word], written: str | None, present: Word) -> Word:
    if written is None:
        return present
    try:
        return kind(written)
    except ValueError:
        remedy = f"One of: {', '.join(kind)}."
        raise BadInputError(field, written, "is unknown", remedy=remedy) from None


def _causes(written: Sequence[str]) -> list[str]:
    return [str(_word("causes", Cause, one, Cause.INSUFFICIENT)) for one in dict.fromkeys(written)]


def _quiet(written: str) -> tuple[str, str]:
    """Take "22:00-07:00" apart; `quiet_hours` reads the two."""
    start, dash, end = (part.strip() for part in written.partition("-"))
    if written and not dash:
        raise BadInputError("quiet", written, "is no span", remedy='Write "22:00-07:00".')
    return start, end


def _hours(written: float) -> float:
    if 0 <= written <= MAX_REMIND_HOURS:
        return written
    raise BadInputError(
        "remind_hours",
        str(written),
        "is no number of hours to wait",
        remedy=f"Write 0 for never, or up to {MAX_REMIND_HOURS:.0f}.",
    )


def _name(written: str) -> str:
    mime.check_line("name", written)
    if len(written) > 200:
        raise BadInputError("name", written, "is too long", remedy="Keep it below 201 characters.")
    return written


def _second(session: Session, route: RouteRow, chosen: int | None) -> int | None:
    """The route to tell as well where this one may fail."""
    if chosen is None or chosen == 0:
        return route.second_id if chosen is None else None
    if chosen == route.id:
        raise BadInputError("second", str(chosen), "is this route itself", remedy="Name another.")
    return saved(find(session, route.organisation_id, chosen).id)
