"""Twin: send the same mail as an alert to a seed of ours, and look where it landed."""

from collections.abc import Callable

from sqlmodel import Session

from monitor.core.arrival import arrival
from monitor.core.campaigns import Role, Wanted
from monitor.core.clock import Clock
from monitor.core.errors import InDoubtError, PersonNeededError, SeedwatchError
from monitor.core.placements import Placement
from monitor.core.ports import Alert, Alerter, Mailbox, Message
from monitor.store import twins
from monitor.store.columns import saved
from monitor.store.route_tables import RouteRow, TwinRow
from monitor.store.tables import SeedRow
from monitor.store.verdict_tables import AlertRow

PLACES = {
    Role.INBOX: Placement.INBOX,
    Role.TAB: Placement.TAB,
    Role.SPAM: Placement.SPAM,
    Role.QUARANTINE: Placement.QUARANTINE,
    Role.OTHER: Placement.TAB,
    Role.TRASH: Placement.REMOVED,
}
SHORT = 1000  # characters of an error that are kept

# What an alert tells its route: the same words again.
Write = Callable[[AlertRow, RouteRow], Message]


def send_twin(
    session: Session, *, twin_id: int, write: Write, alerter: Alerter, clock: Clock
) -> None:
    """Hand the twin over once; an attempt that was cut off is not repeated. Commits.

    Raises:
        AgainLaterError: the mail server does not take it now.
    """
    twin = session.get_one(TwinRow, twin_id)
    if twin.started_at is not None:
        return  # sent, refused or in doubt: looking tells
    seed = session.get_one(SeedRow, twin.seed_id)
    alert = session.get_one(AlertRow, twin.alert_id)
    message = write(alert, session.get_one(RouteRow, alert.route_id))
    mail = Alert(f"twin.{twin_id}", seed.address, message, twin.message_id)
    twin.started_at = clock.now()
    session.add(twin)
    session.commit()
    try:
        alerter.tell(mail)
    except InDoubtError as error:
        twin.error = error.what[:SHORT]
    except PersonNeededError as error:  # its provider refuses what the alert says, too
        twin.error, twin.placement = error.what[:SHORT], Placement.REJECTED
    except SeedwatchError as error:
        twin.error, twin.started_at = error.what[:SHORT], None
        session.commit()
        raise
    else:
        twin.sent_at, twin.error = clock.now(), ""
    session.commit()


def look_for_twin(
    session: Session,
    *,
    twin_id: int,
    rung: int,
    open_mailbox: Callable[[SeedRow], Mailbox],
    clock: Clock,
) -> None:
    """Look for the twin in its seed, and say what that means for the alert. Commits."""
    twin = session.get_one(TwinRow, twin_id)
    if twin.started_at is not None and twin.placement is not Placement.REJECTED:
        seed = session.get_one(SeedRow, twin.seed_id)
        wanted = Wanted(
            twin.message_id, "", twin.started_at, was_found=twin.placement in PLACES.values()
        )
        session.commit()  # no transaction stays open while we are on the network
        try:
            found = open_mailbox(seed).look([wanted])
        except SeedwatchError as error:
            twin.error = error.what[:SHORT]  # where it was seen before is all that is known
        else:
            before = twin.placement
            twin.placement, twin.error = _place(found[0].role if found else None, before), ""
        twin.looked_at = clock.now()
        session.add(twin)
        session.flush()
    _conclude(session, twin, rung)
    session.commit()


def _place(role: Role | None, before: Placement | None) -> Placement | None:
    if role is not None:
        return PLACES[role]
    return Placement.REMOVED if before in {Placement.INBOX, Placement.TAB} else None


def _conclude(session: Session, twin: TwinRow, rung: int) -> None:
    alert = session.get_one(AlertRow, twin.alert_id)
    route = session.get_one(RouteRow, alert.route_id)
    places = [one.placement for one in twins.of_alert(session, saved(alert.id))]
    told = arrival(places, is_last=rung + 1 >= len(twins.LOOKS))
    same = twins.siblings(session, alert, route.organisation_id)
    twins.note_arrival(session, same, told)
