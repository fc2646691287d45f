"""How this installation is looked after: its disks, its operator's route, alerts that must live."""

import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlmodel import Session, col, select

from monitor.core.arrival import same_house
from monitor.core.errors import AgainLaterError
from monitor.core.exposure import UNKNOWN
from monitor.core.ports import Message
from monitor.core.routes import About, Audience, Severity
from monitor.core.upkeep import Room
from monitor.settings import Settings
from monitor.steps.survive import EMAIL, Receivers, survive
from monitor.steps.tend import tend
from monitor.steps.twin import look_for_twin, send_twin
from monitor.store.deliveries import owed
from monitor.store.jobs import Job
from monitor.store.route_tables import RouteRow
from monitor.store.verdict_tables import AlertRow
from monitor.wiring.letters import writers
from monitor.worker import Handler

if TYPE_CHECKING:
    from monitor.wiring.house import House

OPERATOR: Final = "[operator] email"  # the name of the route that the configuration asks for
SQLITE: Final = "sqlite:"


def upkeep_handlers(house: "House") -> Mapping[str, Handler]:
    """Return, for each kind of job here, who does it."""
    return {
        "tend": partial(_tend, house, rooms_of(house.settings)),
        "survive": partial(_survive, house),
        "twin": partial(_twin, house),
        "look_twin": partial(_look_twin, house),
    }


def put_operator_route(session: Session, house: "House", organisation_id: int) -> None:
    """Let there be the one route that [operator] email asks for; the caller commits.

    Whoever writes the configuration needs no link to confirm it. An address that was changed
    is tried anew.
    """
    address = house.settings.operator.email
    known = session.exec(
        select(RouteRow).where(
            col(RouteRow.organisation_id) == organisation_id,
            col(RouteRow.audience) == Audience.OPERATOR,
            col(RouteRow.name) == OPERATOR,
        )
    ).first()
    if known is None:
        if not address:
            return
        known = RouteRow(
            organisation_id=organisation_id,
            address=address,
            name=OPERATOR,
            audience=Audience.OPERATOR,
            least=Severity.INFO,
            created_at=house.clock.now(),
        )
    if address and known.address != address:
        known.address, known.suspended_at, known.suspended_why = address, None, ""
    known.confirmed_at = (known.confirmed_at or house.clock.now()) if address else None
    session.add(known)


def rooms_of(settings: Settings) -> dict[str, Callable[[], Room]]:
    """Return what says how full the disks are that the database and the queue lie on, if any."""
    places = {"database": settings.database.url, "queue": settings.worker.queue}
    files = {name: url for name, url in places.items() if url.startswith(SQLITE)}
    return {
        name: partial(_room, Path(url.removeprefix(SQLITE).removeprefix("///")).parent)
        for name, url in files.items()
    }


def _room(folder: Path) -> Room:
    usage = shutil.disk_usage(folder)
    return Room(usage.free, usage.total)


def _tend(
    house: "House", rooms: Mapping[str, Callable[[], Room]], session: Session, job: Job
) -> None:
    del job
    tend(
        session,
        rooms=rooms,
        names={provider: known.name for provider, known in house.facts.items()},
        alert_domain=_domain(house),
        clock=house.clock,
    )


def _survive(house: "House", session: Session, job: Job) -> None:
    survive(
        session,
        alert_id=job.args["alert"],
        receivers=Receivers(partial(_provider_of, house), partial(same_house, facts=house.facts)),
        alert_domain=_domain(house),
        clock=house.clock,
    )


def _provider_of(house: "House", domain: str) -> str:
    found = house.mail_hosts.provider_of(domain)
    if found == UNKNOWN:
        raise AgainLaterError(f"the DNS does not say who receives for {domain!r}.")
    return found


def _twin(house: "House", session: Session, job: Job) -> None:
    send_twin(
        session,
        twin_id=job.args["twin"],
        write=partial(_write, house, session),
        alerter=house.edges.alerters[EMAIL],
        clock=house.clock,
    )


def _write(house: "House", session: Session, alert: AlertRow, route: RouteRow) -> Message:
    return writers(house)[About.INCIDENT](owed(session, alert, route))


def _look_twin(house: "House", session: Session, job: Job) -> None:
    look_for_twin(
        session,
        twin_id=job.args["twin"],
        rung=job.args["rung"],
        open_mailbox=house.mailboxes.get,
        clock=house.clock,
    )


def _domain(house: "House") -> str:
    return house.settings.alerts.from_address.rpartition("@")[2]
