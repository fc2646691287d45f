"""What is told to whom, in short: for tests of what warns and what tells."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sqlmodel import col, select

from monitor.core.incidents import IncidentEvent
from monitor.core.ports import Alert, Message
from monitor.core.routes import About, Owed
from monitor.steps.tell import Channels, tell
from monitor.steps.warn import warn
from monitor.store import incidents
from monitor.store.columns import saved
from monitor.store.route_tables import DomainRow, RouteRow
from monitor.store.tables import SenderRow
from monitor.store.verdict_tables import AlertRow
from monitor.store.work_tables import JobRow, JobState
from tests.steps.world import World

DOMAIN = "alerts.example.net"


@dataclass
class Channel:
    """An alerter that keeps what it was told, or fails as it is told to."""

    trouble: BaseException | None = None
    told: list[Alert] = field(default_factory=list)
    is_repeatable: bool = False

    def tell(self, alert: Alert) -> str:
        if self.trouble is not None:
            raise self.trouble
        self.told.append(alert)
        return "taken"

    @property
    def to(self) -> list[str]:
        return [alert.to for alert in self.told]


def write(owed: Owed) -> Message:
    return Message(f"{owed.topic} for {owed.to}", "What is the matter.", "<p>html</p>")


def channels(world: World, **kinds: Channel) -> Channels:
    writers = dict.fromkeys(About, write)
    return Channels(kinds, writers, world.clock, random.Random(3), DOMAIN)


def happens(world: World, told: IncidentEvent, *, must_prove: bool = True) -> list[AlertRow]:
    """Write the event and owe its alerts."""
    row = incidents.append(world.session, told)
    return owe(world, saved(row.id), must_prove=must_prove)


def owe(world: World, event_id: int, *, must_prove: bool = True) -> list[AlertRow]:
    """Owe the alerts of an event."""
    owed = warn(
        world.session,
        event_id=event_id,
        alert_domain=DOMAIN,
        clock=world.clock,
        must_prove=must_prove,
    )
    world.session.commit()
    return owed


def deliver(world: World, alert: AlertRow, channel: Channel) -> None:
    """One attempt over *channel*, whether the route is for mail or a webhook."""
    for job in work_due(world):
        job.state = JobState.DONE if job.args == {"alert": alert.id} else job.state
    known = channels(world, email=channel, webhook=channel)
    tell(world.session, alert_id=saved(alert.id), channels=known)
    world.session.commit()


def topics(alerts: Sequence[AlertRow]) -> list[str]:
    return [alert.topic for alert in alerts]


def the_route(world: World) -> RouteRow:
    """The route that every world has."""
    return world.session.exec(select(RouteRow).order_by(col(RouteRow.id))).first() or RouteRow(
        organisation_id=0, address=""
    )


def add_route(world: World, address: str, like: RouteRow | None = None, **ways: object) -> RouteRow:
    """Another route of the same sender, that agreed."""
    like = like or the_route(world)
    route = RouteRow(
        organisation_id=like.organisation_id,
        sender_id=like.sender_id,
        address=address,
        confirmed_at=world.clock.now(),
    )
    for name, value in ways.items():
        setattr(route, name, value)
    world.session.add(route)
    world.session.commit()
    return route


def add_sender(world: World, domain: str, *, is_proven: bool = True) -> SenderRow:
    """Another sender of the organisation, with a route of its own."""
    organisation = world.campaign.organisation_id
    sender = SenderRow(
        organisation_id=organisation,
        key=domain,
        name=domain,
        from_domain=domain,
        mail_from=f"b@{domain}",
    )
    world.session.add(sender)
    world.session.flush()
    if is_proven:
        now = world.clock.now()
        proof = DomainRow(
            organisation_id=organisation, domain=domain, token="t", created_at=now, proven_at=now
        )
        world.session.add(proof)
    add_route(world, f"team@{domain}", sender_id=sender.id)
    return sender


def work_due(world: World) -> list[JobRow]:
    """The deliveries that wait, the next one first."""
    waiting = select(JobRow).where(JobRow.kind == "tell", JobRow.state == JobState.DUE)
    return list(world.session.exec(waiting.order_by(col(JobRow.due_at))).all())


def hitting(event: IncidentEvent, *senders: str) -> IncidentEvent:
    return replace(event, hit=senders)
