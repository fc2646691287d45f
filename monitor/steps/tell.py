"""Tell: deliver one owed alert over its route."""

from collections.abc import Callable, Mapping

from sqlmodel import Session

from monitor.core.clock import Clock
from monitor.core.errors import AgainLaterError, InDoubtError, PersonNeededError
from monitor.core.incidents import IncidentEvent, State
from monitor.core.ports import Alert, Alerter, Message
from monitor.store import alerts, incidents
from monitor.store.columns import saved
from monitor.store.route_tables import RouteRow
from monitor.store.verdict_tables import AlertRow, IncidentEventRow

ATTEMPTS = 12  # then the alert is dead, and shown
TOO_LATE = "the incident was over before this alert could be delivered"

# event, recipient -> what is told
Write = Callable[[IncidentEvent, str], Message]


def tell(
    session: Session,
    *,
    alert_id: int,
    alerters: Mapping[str, Alerter],
    write: Write,
    clock: Clock,
) -> None:
    """Deliver the alert once.

    An attempt that was cut off, so that nobody knows whether the alert went out, is not
    repeated: the alert is marked as in doubt, for a person to see. One that could not be
    delivered before its incident was over is dead too: its end would never be told.

    Raises:
        AgainLaterError: the channel failed for now.
        PersonNeededError: the channel refused for good; the alert is dead, and shown.
    """
    row = session.get_one(AlertRow, alert_id)
    if row.sent_at is not None or row.dead_at is not None:
        return
    if row.started_at is not None:
        row.dead_at = clock.now()
        row.error = "in doubt: the program stopped while this alert was being handed over"
        return
    alert, kind = _compose(session, row, write)
    row.subject = alert.message.subject
    row.attempts += 1
    row.started_at = clock.now()
    session.add(row)
    session.commit()  # from here on, a crash leaves this alert in doubt
    if _is_too_late(session, row):
        row.error, row.dead_at, row.started_at = TOO_LATE, clock.now(), None
        return
    _deliver(session, row, alert, alerters, kind, clock)


def _is_too_late(session: Session, row: AlertRow) -> bool:
    """Is this news of trouble that is over by now?

    Asked after the start is committed: whoever owes alerts of the end either sees that
    start, or has written the end for us to see.
    """
    known = incidents.one(session, row.incident)
    return row.state is not State.CLOSED and known is not None and not known[0].is_open


def _compose(session: Session, row: AlertRow, write: Write) -> tuple[Alert, str]:
    route = session.get_one(RouteRow, row.route_id)
    event = incidents.decode(session.get_one(IncidentEventRow, saved(row.event_id)))
    alert = Alert(
        id=f"{row.incident}:{row.topic}:{row.route_id}",
        to=route.address,
        message=write(event, route.address),
        message_id=row.message_id,
        in_reply_to=alerts.first_message_id(session, row.incident, row.route_id),
    )
    return alert, route.kind


def _deliver(
    session: Session,
    row: AlertRow,
    alert: Alert,
    alerters: Mapping[str, Alerter],
    kind: str,
    clock: Clock,
) -> None:
    alerter = alerters.get(kind)
    try:
        if alerter is None:
            raise PersonNeededError(
                f"there is no alerter for routes of kind {kind!r}.",
                remedy=f"Known kinds: {', '.join(sorted(alerters))}.",
            )
        alerter.tell(alert)
    except InDoubtError as error:
        row.error, row.dead_at = f"in doubt: {error.what}"[:1000], clock.now()
        session.commit()
        return
    except PersonNeededError as error:
        row.error, row.dead_at, row.started_at = str(error)[:1000], clock.now(), None
        session.commit()
        raise
    except AgainLaterError as error:
        row.error, row.started_at = str(error)[:1000], None
        row.dead_at = clock.now() if row.attempts >= ATTEMPTS else None
        session.commit()
        raise
    row.sent_at, row.error = clock.now(), ""
    session.commit()
