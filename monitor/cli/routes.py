"""`seedwatch routes`: who is told, and whether they agreed."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import click
from sqlmodel import Session

from monitor.alerts.apprise import AppriseAlerter
from monitor.cli.context import (
    config_option,
    json_option,
    one_line,
    open_house,
    organisation_id,
    print_json,
    print_table,
)
from monitor.core.incidents import Cause
from monitor.store import route_questions, route_secrets
from monitor.store import routes as rows
from monitor.store.columns import saved
from monitor.store.route_tables import RouteRow
from monitor.store.routes import Choices
from monitor.store.tables import SenderRow
from monitor.wiring import House
from monitor.wiring.work import alert_domain

Command = TypeVar("Command", bound=Callable[..., object])

id_argument = click.argument("route_id", metavar="ID", type=click.IntRange(min=1))

CAUSES_HELP = f'Only these causes, of {", ".join(Cause)}; may be repeated. "all" for every one.'
CHOICES = (
    click.option("--name", help="What you call it."),
    click.option("--for", "audience", help="sender, marketer, esp or operator."),
    click.option("--least", help="Tell from this severity on: info, warning, critical."),
    click.option("--cause", "causes", multiple=True, help=CAUSES_HELP),
    click.option("--timezone", help='For quiet hours and digests, as "Europe/Berlin".'),
    click.option("--quiet", help='Hold all but the critical, as "22:00-07:00"; "" for never.'),
    click.option("--digest", help="none, daily or weekly."),
    click.option("--remind", type=float, help="Hours until a reminder; 0 for never."),
    click.option("--second", type=int, help="Route to tell as well if this one may fail; 0: none."),
)


def with_choices(command: Command) -> Command:
    """Give *command* the options of CHOICES, in their order."""
    for option in reversed(CHOICES):
        command = option(command)
    return command


@click.group()
def routes() -> None:
    """Routes: who is told of incidents, over what, and what they agreed to."""


@routes.command("list")
@config_option
@json_option
def list_(config: Path, as_json: bool) -> None:
    """Show all routes."""
    with open_house(config) as house, Session(house.engine) as session:
        found = rows.of_organisation(session, organisation_id(session))
        told = [_as_json(session, one, house.clock.now()) for one in found]
    if as_json:
        print_json(told)
        return
    keys = ("id", "kind", "address", "sender", "audience", "least", "state")
    print_table(
        ("route", "kind", "address", "of", "for", "from", "state"),
        [[one[key] for key in keys] for one in told],
    )


@routes.command("show")
@config_option
@json_option
@id_argument
def show(config: Path, as_json: bool, route_id: int) -> None:
    """Show one route, and what was chosen for it."""
    with open_house(config) as house, Session(house.engine) as session:
        route = rows.find(session, organisation_id(session), route_id)
        told = _as_json(session, route, house.clock.now())
    if as_json:
        print_json(told)
        return
    print_table(("what", "value"), [(key, _shown(value)) for key, value in told.items()])


@routes.command("add")
@config_option
@with_choices
@click.option("--sender", default="", callback=one_line(253), help="Only for this From domain.")
@click.argument("kind")
@click.argument("address", required=False)
def add(config: Path, kind: str, address: str | None, sender: str, **chosen: object) -> None:
    """Add a route of KIND email, webhook or apprise.

    ADDRESS is a mail address, an https address, or one as Apprise has it (SLACK://...). If you
    leave it out you are asked for it, so that it does not stay in the shell's history.
    """
    if address is None:
        address = str(click.prompt("Address", hide_input=kind == "apprise"))
    with open_house(config) as house, Session(house.engine) as session:
        owner = organisation_id(session)
        of = rows.sender_id_of(session, owner, sender) if sender else None
        shown = AppriseAlerter().check(address) if kind == "apprise" else address
        route = rows.add(session, owner, kind, shown, sender_id=of, now=house.clock.now())
        rows.choose(session, route, _choices(chosen))
        says = _begun(session, house, route, address)
        session.commit()
    click.echo(says)


def _begun(session: Session, house: House, route: RouteRow, address: str) -> str:
    """Keep or make the new route's secret, ask its owner; say what comes next."""
    test_it = f"Nothing is told there before it was tried: seedwatch routes test {route.id}"
    if route.kind == "webhook":
        secret = route_secrets.new_signing_secret()
        route_secrets.keep_signing_secrets(route, house.vault, secret)
        return f"Added route {route.id}. Its secret, shown only now:\n{secret}\n{test_it}"
    if route.kind == "apprise":
        route_secrets.keep_url(route, house.vault, address)
        return f"Added route {route.id}.\n{test_it}"
    _ask(session, house, route)
    return (
        f"Added route {route.id}. {route.address} is asked by mail, and told nothing before they"
        f" agree.\nIf they have told you so: seedwatch routes confirm {route.id}"
    )


def _ask(session: Session, house: House, route: RouteRow) -> bool:
    owed = route_questions.ask(
        session,
        route,
        asked_by="The operator of this Seedwatch",
        domain=alert_domain(house),
        now=house.clock.now(),
    )
    return owed is not None


@routes.command("set")
@config_option
@with_choices
@id_argument
def set_(config: Path, route_id: int, **chosen: object) -> None:
    """Choose something else for a route. What you do not name stays as it is."""
    with open_house(config) as house, Session(house.engine) as session:
        route = rows.find(session, organisation_id(session), route_id)
        rows.choose(session, route, _choices(chosen))
        session.commit()
    click.echo(f"Route {route_id} is changed.")


def _choices(chosen: dict[str, object]) -> Choices:
    """Options as typed; none of a kind that may be repeated means that it stays."""
    hours = chosen.pop("remind")
    causes = chosen.pop("causes")
    if causes == ("all",):
        return Choices(**chosen, causes=(), remind_hours=hours)  # type: ignore[arg-type]
    return Choices(**chosen, causes=causes or None, remind_hours=hours)  # type: ignore[arg-type]


@routes.command("confirm")
@config_option
@click.option("--ask", is_flag=True, help="Send the question once more instead.")
@id_argument
def confirm(config: Path, route_id: int, ask: bool) -> None:
    """Write down, by your own hand, that the owner of a route agreed to be told."""
    with open_house(config) as house, Session(house.engine) as session:
        route = rows.find(session, organisation_id(session), route_id)
        if ask:
            is_new = _ask(session, house, route)
            says = f"{route.address} is asked again." if is_new else "There is nothing to ask."
        else:
            is_new = rows.confirm(session, route, rows.BY_HAND, now=house.clock.now())
            says = f"Route {route_id} is confirmed" + (", by you." if is_new else " already.")
        session.commit()
    click.echo(says)


@routes.command("resume")
@config_option
@id_argument
def resume(config: Path, route_id: int) -> None:
    """Tell a route again that was suspended because it refused."""
    with open_house(config) as house, Session(house.engine) as session:
        was_still = rows.resume(session, rows.find(session, organisation_id(session), route_id))
        session.commit()
    click.echo(f"Route {route_id} is told again." if was_still else "It was not suspended.")


@routes.command("remove")
@config_option
@id_argument
def remove(config: Path, route_id: int) -> None:
    """Tell a route nothing any more. What it was told stays in the log."""
    with open_house(config) as house, Session(house.engine) as session:
        route = rows.find(session, organisation_id(session), route_id)
        rows.remove(session, route, now=house.clock.now())
        session.commit()
    click.echo(f"Removed route {route_id}.")


@routes.command("rotate")
@config_option
@click.option("--finish", is_flag=True, help="Let the old secret end.")
@id_argument
def rotate(config: Path, route_id: int, finish: bool) -> None:
    """Give a webhook a new secret. Until --finish, deliveries are signed with both."""
    with open_house(config) as house, Session(house.engine) as session:
        route = rows.find(session, organisation_id(session), route_id)
        if finish:
            was_two = route_secrets.finish_rotation(route, house.vault)
            says = "The old secret has ended." if was_two else "There was one secret only."
        else:
            fresh = route_secrets.rotate(route, house.vault)
            says = (
                f"The new secret, shown only now:\n{fresh}\nOnce the receiver knows it:"
                f" seedwatch routes rotate {route_id} --finish"
            )
        session.commit()
    click.echo(says)


def state_of(route: RouteRow, now: datetime) -> str:
    """Say in words whether a route is told."""
    if route.suspended_at is not None:
        return f"suspended: {route.suspended_why}"
    if route.confirmed_at is None:
        return "not confirmed"
    if route.rests_until is not None and route.rests_until > now:
        return f"rests until {route.rests_until:%d %b %H:%M} UTC"
    return "told"


def _as_json(session: Session, route: RouteRow, now: datetime) -> dict[str, object]:
    sender = session.get(SenderRow, route.sender_id) if route.sender_id else None
    return {
        "id": saved(route.id),
        "kind": route.kind,
        "address": route.address,
        "sender": sender.from_domain if sender else "all",
        "audience": route.audience,
        "least": route.least,
        "state": state_of(route, now),
        "name": route.name,
        "causes": route.causes,
        "timezone": route.timezone,
        "quiet": f"{route.quiet_from}-{route.quiet_to}" if route.quiet_from else "",
        "digest": route.digest,
        "remind_hours": route.remind_hours,
        "second": route.second_id,
        "created_at": route.created_at,
        "confirmed_at": route.confirmed_at,
        "confirmed_by": route.confirmed_by,
        "suspended_at": route.suspended_at,
        "failures": route.failures,
    }


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
