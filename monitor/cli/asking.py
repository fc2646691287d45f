"""`--alert-to`: who is to be told of a sender's incidents, once they have agreed."""

from collections.abc import Iterable

from sqlmodel import Session

from monitor.store import route_questions
from monitor.store import routes as rows
from monitor.store.columns import saved
from monitor.store.route_tables import RouteRow
from monitor.store.tables import CampaignRow, SenderRow
from monitor.wiring import House
from monitor.wiring.work import alert_domain


def put_routes(session: Session, house: House, sender: SenderRow, addresses: Iterable[str]) -> None:
    """Make a route for each of *addresses* that has none, and ask it; the caller commits."""
    owner, of = sender.organisation_id, saved(sender.id)
    known = {route.address for route in _routes_of(session, owner, of)}
    now = house.clock.now()
    for address in addresses:
        if address not in known:
            route = rows.add(session, owner, "email", address, sender_id=of, now=now)
            asked_by = f"Whoever tests the mail of {sender.from_domain} here"
            domain = alert_domain(house)
            route_questions.ask(session, route, asked_by=asked_by, domain=domain, now=now)


def who_must_agree(session: Session, campaign: CampaignRow, addresses: Iterable[str]) -> str:
    """Say which of *addresses* are told nothing yet; "" if all have agreed."""
    named = set(addresses)
    waiting = [
        route
        for route in _routes_of(session, campaign.organisation_id, campaign.sender_id)
        if route.address in named and route.confirmed_at is None
    ]
    return "".join(
        f"\n{route.address} is told once they open the link that we mail to them. If they have"
        f" agreed already: seedwatch routes confirm {route.id}"
        for route in waiting
    )


def _routes_of(session: Session, owner: int, sender_id: int) -> list[RouteRow]:
    mine = rows.of_organisation(session, owner)
    return [route for route in mine if route.sender_id == sender_id and route.kind == "email"]
