"""`seedwatch routes test`, `log` and `replay`: whether a route works, and what went over it."""

from pathlib import Path

import click
from sqlmodel import Session

from monitor.alerts.webhook import delivery_id
from monitor.cli.context import (
    config_option,
    json_option,
    open_house,
    organisation_id,
    print_json,
    print_table,
)
from monitor.cli.routes import id_argument
from monitor.core.errors import BadInputError, NotFoundError, PersonNeededError
from monitor.steps.tell import tell
from monitor.store import alerts, deliveries, route_questions
from monitor.store import routes as rows
from monitor.store.columns import saved
from monitor.store.route_tables import AttemptRow, RouteRow
from monitor.store.verdict_tables import AlertRow
from monitor.wiring import House
from monitor.wiring.work import alert_domain, channels

MOST = 100  # lines of the log that are shown


@click.command("test")
@config_option
@id_argument
def try_route(config: Path, route_id: int) -> None:
    """Send a trial over a route now, and print what the other side said.

    A webhook or a chat that takes it is confirmed by that. Exit status 1 if it was not taken.
    """
    with open_house(config) as house, Session(house.engine) as session:
        route = rows.find(session, organisation_id(session), route_id)
        _need_willing(route)
        now = house.clock.now()
        owed = route_questions.owe_trial(session, route, domain=alert_domain(house), now=now)
        alert_id = saved(owed.id)
        session.commit()
        tell(session, alert_id=alert_id, channels=channels(house))
        said = _outcome(session, house, owed)
        is_new = rows.confirm(session, route, rows.BY_TRIAL, now=house.clock.now())
        session.commit()
    click.echo(f"Route {route_id} took it: {said}")
    if is_new:
        click.echo("It is confirmed by that, and told from now on.")


def _need_willing(route: RouteRow) -> None:
    """Refuse to try what was suspended, and mail to people who have not agreed."""
    if route.suspended_at is not None:
        raise PersonNeededError(
            f"route {route.id} is suspended: {route.suspended_why}",
            remedy=f"Once that is mended: seedwatch routes resume {route.id}",
        )
    if route.kind == "email" and route.confirmed_at is None:
        raise PersonNeededError(
            f"{route.address} has not agreed to be told yet.",
            remedy=f"Ask again: seedwatch routes confirm {route.id} --ask; or, if they told you,"
            " without --ask.",
        )


def _outcome(session: Session, house: House, owed: AlertRow) -> str:
    """What the other side said to the trial.

    Raises:
        PersonNeededError: it was not taken.
    """
    session.refresh(owed)
    said = [attempt.said for attempt in deliveries.attempts(session, saved(owed.id))]
    if owed.sent_at is not None:
        return said[-1] if said else ""
    route_questions.end_trial(session, owed, now=house.clock.now())
    session.commit()
    raise PersonNeededError(f"the trial was not taken: {owed.error}")


@click.command("log")
@config_option
@json_option
@id_argument
def log(config: Path, as_json: bool, route_id: int) -> None:
    """Show what went over a route, attempt by attempt, the newest first."""
    with open_house(config) as house, Session(house.engine) as session:
        rows.find(session, organisation_id(session), route_id)
        found = route_questions.log(session, route_id, limit=MOST)
        told = [_as_json(alert, attempt) for alert, attempt in found]
    if as_json:
        print_json(told)
        return
    keys = ("alert", "about", "topic", "at", "outcome", "said")
    print_table(keys, [[one[key] for key in keys] for one in told])


def _as_json(alert: AlertRow, attempt: AttemptRow | None) -> dict[str, object]:
    return {
        "alert": saved(alert.id),
        "delivery": delivery_id(alert.message_id),
        "about": alert.about,
        "thread": alert.incident,
        "topic": alert.topic,
        "at": f"{attempt.started_at if attempt else alert.created_at:%Y-%m-%d %H:%M:%S}",
        "outcome": _fate(alert, attempt),
        "said": attempt.said if attempt else alert.error,
    }


def _fate(alert: AlertRow, attempt: AttemptRow | None) -> str:
    if attempt is not None:
        return attempt.outcome or "under way"
    return "owed" if alert.dead_at is None else "dead"


@click.command("replay")
@config_option
@click.argument("alert_id", metavar="ALERT", type=click.IntRange(min=1))
def replay_alert(config: Path, alert_id: int) -> None:
    """Let the worker send a webhook's ALERT again, under the same id (see: routes log)."""
    with open_house(config) as house, Session(house.engine) as session:
        alert = _find_alert(session, organisation_id(session), alert_id)
        alerts.again(session, alert, now=house.clock.now())
        session.commit()
    click.echo(f"Alert {alert_id} is due now; the worker sends it again.")


def _find_alert(session: Session, owner: int, alert_id: int) -> AlertRow:
    """An alert of a webhook that has come to its end.

    Raises:
        NotFoundError: there is none of this id.
        BadInputError: it is still under way, or would arrive as another one.
    """
    alert = session.get(AlertRow, alert_id)
    if alert is None:
        raise NotFoundError(f"there is no alert {alert_id}.", remedy="See: seedwatch routes log ID")
    route = rows.find(session, owner, alert.route_id)
    problem = ""
    if route.kind != "webhook":
        problem, remedy = "is no webhook's", "What is read by people is not sent twice."
    elif alert.sent_at is None and alert.dead_at is None:
        problem, remedy = "is still being delivered", f"See: seedwatch routes log {route.id}"
    if problem:
        raise BadInputError("ALERT", str(alert_id), problem, remedy=remedy)
    return alert
