"""Tell: deliver one owed alert over its route."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlmodel import Session

from monitor.core.clock import Clock
from monitor.core.errors import AgainLaterError, InDoubtError, PersonNeededError
from monitor.core.incidents import State
from monitor.core.patience import pause
from monitor.core.ports import Alert, Alerter, Message
from monitor.core.routes import About, Owed, Severity
from monitor.store import alerts, deliveries, incidents, troubles
from monitor.store.columns import saved
from monitor.store.deliveries import Outcome
from monitor.store.route_tables import RouteRow
from monitor.store.verdict_tables import AlertRow

ATTEMPTS = 38  # over about a day; then the alert is dead, and shown
LONGEST_WAIT = timedelta(days=1)  # whatever the other side asks for
CUT_OFF = "the program stopped while this alert was being handed over"

# What may be told to a route that has not agreed yet: the question, and what its owner tries.
UNASKED = frozenset({About.CONFIRM, About.TRIAL})

Write = Callable[[Owed], Message]


def no_secrets(_route: RouteRow) -> tuple[str, ...]:
    """For routes that have none: e-mail."""
    return ()


@dataclass(frozen=True, slots=True)
class Channels:
    """What delivers alerts, and what they are made with."""

    alerters: Mapping[str, Alerter]  # by the routes' kind
    writers: Mapping[About, Write]
    clock: Clock
    rng: random.Random
    domain: str  # of our Message-IDs
    secrets: Callable[[RouteRow], tuple[str, ...]] = no_secrets


def tell(session: Session, *, alert_id: int, channels: Channels) -> None:
    """Deliver the alert once; what fails for now is put as work for later. Commits.

    An attempt that was cut off, so that nobody knows whether the alert went out, is repeated
    under the same id where its receiver knows it by that. Elsewhere it is not: the alert is
    marked as in doubt, for a person to see. So is one that was refused, or that could not be
    delivered for a day; it is owed to the route's second one then. One that could not be
    delivered before its incident was over is dead too: its end would never be told.
    """
    row = session.get_one(AlertRow, alert_id)
    if row.sent_at is not None or row.dead_at is not None:
        return
    route = session.get_one(RouteRow, row.route_id)
    alerter = channels.alerters.get(route.kind)
    is_cut_off = row.started_at is not None
    if is_cut_off and (alerter is None or not alerter.is_repeatable):
        _give_up(session, row, channels, Outcome.IN_DOUBT, CUT_OFF)
    elif (why := _never(route, row, channels)) is not None:
        _give_up(session, row, channels, Outcome.REFUSED, why)
    elif not _must_wait(session, row, route, channels):
        _attempt(session, row, route, channels)


def _never(route: RouteRow, row: AlertRow, channels: Channels) -> str | None:
    """Why the alert can never be delivered, if that is so."""
    if route.kind not in channels.alerters:
        known = ", ".join(sorted(channels.alerters))
        return f"there is no alerter for routes of kind {route.kind!r}. Known kinds: {known}."
    if route.suspended_at is not None:
        return f"the route is suspended: {route.suspended_why}"
    if route.confirmed_at is None and row.about not in UNASKED:
        return "nobody has confirmed this route"
    if row.attempts >= ATTEMPTS:
        return CUT_OFF  # each time
    return None


def _must_wait(session: Session, row: AlertRow, route: RouteRow, channels: Channels) -> bool:
    """Is the alert not due, or its route resting? Then it is put as work for that time."""
    now = channels.clock.now()
    until = row.due_at if row.due_at > now else deliveries.rests_until(session, route, now=now)
    if until is None:
        return False
    alerts.put_delivery(session, saved(row.id), until)
    return True


def _attempt(session: Session, row: AlertRow, route: RouteRow, channels: Channels) -> None:
    try:
        alert = _compose(session, row, route, channels)
    except PersonNeededError as error:  # its secret cannot be opened
        _give_up(session, row, channels, Outcome.REFUSED, str(error))
        return
    now = channels.clock.now()
    deliveries.end(session, saved(row.id), Outcome.CUT_OFF, CUT_OFF, now=now)
    deliveries.begin(session, row, now=now)
    row.subject = alert.message.subject[:998]
    session.commit()  # from here on, a crash leaves this attempt in doubt
    if _is_too_late(session, row):
        _give_up(session, row, channels, Outcome.TOO_LATE, alerts.TOO_LATE)
        return
    try:
        said = channels.alerters[route.kind].tell(alert)
    except InDoubtError as error:
        _give_up(session, row, channels, Outcome.IN_DOUBT, error.what)
    except PersonNeededError as error:
        _suspend(session, route, error, channels)
        _give_up(session, row, channels, Outcome.REFUSED, str(error))
    except AgainLaterError as error:
        _try_later(session, row, route, channels, error)
    else:
        _note(session, row, channels, Outcome.DELIVERED, said)
        row.sent_at, row.error = channels.clock.now(), ""
        deliveries.went_well(session, route)
    session.commit()


def _is_too_late(session: Session, row: AlertRow) -> bool:
    """Is this news of trouble that is over by now?

    Asked after the start is committed: whoever owes alerts of the end either sees that
    start, or has written the end for us to see.
    """
    if alerts.AGAIN in row.body:
        return False  # whoever wants it once more wants it as it was
    is_news_of_trouble = row.about is About.INCIDENT and row.state is not State.CLOSED
    return is_news_of_trouble and incidents.is_over(session, row.incident)


def _compose(session: Session, row: AlertRow, route: RouteRow, channels: Channels) -> Alert:
    return Alert(
        id=row.message_id.strip("<>").partition("@")[0],
        to=route.address,
        message=channels.writers[row.about](deliveries.owed(session, row, route)),
        message_id=row.message_id,
        in_reply_to=alerts.first_message_id(session, row.incident, row.route_id),
        owed_at=row.created_at,
        secrets=channels.secrets(route),
    )


def _suspend(
    session: Session, route: RouteRow, error: PersonNeededError, channels: Channels
) -> None:
    now = channels.clock.now()
    deliveries.suspend(session, route, str(error), now=now)
    name = route.name or f"{route.kind} route {route.id}"
    remedy = f"{error.remedy} Then: seedwatch routes resume {route.id}".strip()
    sentence = f"{name} is suspended: {error.what}"
    troubles.open_trouble(session, f"route:{route.id}", sentence, remedy, Severity.WARNING, now)


def _try_later(
    session: Session, row: AlertRow, route: RouteRow, channels: Channels, error: AgainLaterError
) -> None:
    now = channels.clock.now()
    rests_until = deliveries.failed(session, route, now=now)
    if row.attempts >= ATTEMPTS:
        _give_up(session, row, channels, Outcome.REFUSED, str(error))
        return
    _note(session, row, channels, Outcome.LATER, str(error))
    wait = max(pause(row.attempts, channels.rng), _wanted(error))
    row.error, row.started_at = str(error)[:1000], None
    row.due_at = max(now + wait, rests_until or now)
    alerts.put_delivery(session, saved(row.id), row.due_at)


def _wanted(error: AgainLaterError) -> timedelta:
    """How long the other side wants us to wait, if it is not for ever."""
    return min(error.retry_after or timedelta(), LONGEST_WAIT)


def _give_up(
    session: Session, row: AlertRow, channels: Channels, outcome: Outcome, why: str
) -> None:
    """Mark the alert as dead; what people should know all the same is owed to the second route.

    One in doubt stays started: it may have been read, and then its end is owed as well.
    """
    _note(session, row, channels, outcome, why)
    now = channels.clock.now()
    is_in_doubt = outcome is Outcome.IN_DOUBT
    row.dead_at, row.error = now, (f"in doubt: {why}" if is_in_doubt else why)[:1000]
    row.started_at = row.started_at if is_in_doubt else None
    session.add(row)
    if outcome is not Outcome.TOO_LATE and row.about not in UNASKED:
        alerts.elsewhere(session, row, domain=channels.domain, now=now)
    session.commit()


def _note(session: Session, row: AlertRow, channels: Channels, outcome: Outcome, said: str) -> None:
    deliveries.end(session, saved(row.id), outcome, said, now=channels.clock.now())
