"""What a running Seedwatch does by itself, as schedules in the database."""

from collections.abc import Iterator

from sqlmodel import Session, col, select

from monitor.steps.send import TOGETHER, lane_of
from monitor.store import buckets
from monitor.store.columns import saved
from monitor.store.schedules import Plan, put_schedule
from monitor.store.tables import OrganisationRow
from monitor.store.work_tables import ScheduleRow
from monitor.wiring.heartbeat import NAME as HEARTBEAT
from monitor.wiring.heartbeat import heartbeat_plan
from monitor.wiring.house import House
from monitor.wiring.upkeep import put_operator_route

FORGET = Plan("forget", "daily 03:30")
DIGEST = Plan("digest", "every 30m")  # mornings begin at each half hour somewhere
PASS_TIME = Plan("pass_time", "every 1h")
LISTEN = Plan("listen", "every 15m")
PUBLISH = Plan("publish", "every 15m")
PROVE = Plan("prove", "every 1h")
REMIND = Plan("remind", "every 15m")
TEND = Plan("tend", "every 5m")


def put_routine(house: House) -> None:
    """Put the schedules that the configuration asks for; leave those alone that stand already."""
    with Session(house.engine) as session:
        owner = _owner(session)
        for name, plan in _plans(session, owner, house):
            known = session.exec(
                select(ScheduleRow).where(
                    col(ScheduleRow.organisation_id) == owner.id, col(ScheduleRow.name) == name
                )
            ).first()
            if plan is None:
                _stop(session, known)
            elif known is None or not known.enabled or _says_other(known, plan):
                put_schedule(session, saved(owner.id), name, plan, now=house.clock.now())
        _put_rates(session, house)
        put_operator_route(session, house, saved(owner.id))
        session.commit()


def _put_rates(session: Session, house: House) -> None:
    """Limit how fast each provider is sent to and visited, or not any longer."""
    per_minute = {
        "send": house.settings.sending.tests_per_minute,
        "look": house.settings.reading.visits_per_minute,
    }
    for provider in house.facts:
        for kind, rate in per_minute.items():
            lane = f"{kind}:{provider}"
            if rate:
                buckets.set_rate(
                    session, lane, rate_per_s=rate / 60, burst=max(1, rate), now=house.clock.now()
                )
            else:
                buckets.clear_rate(session, lane)
    _put_transport_rates(session, house)


def _put_transport_rates(session: Session, house: House) -> None:
    """Limit how many copies each transport takes, over all tests and workers.

    Copies leave in small groups, so that a bucket holds what flows in between two of them.
    """
    for name, route in house.settings.transports.items():
        rate_per_s = route.copies_per_minute / 60
        if rate_per_s:
            burst = max(1.0, rate_per_s * TOGETHER.total_seconds())
            now = house.clock.now()
            buckets.set_rate(session, lane_of(name), rate_per_s=rate_per_s, burst=burst, now=now)
        else:
            buckets.clear_rate(session, lane_of(name))


def _plans(
    session: Session, owner: OrganisationRow, house: House
) -> Iterator[tuple[str, Plan | None]]:
    """Each schedule of the routine; None for one that is not wanted now."""
    yield "forget old headers", FORGET
    yield "close quiet incidents", PASS_TIME
    yield "write digests", DIGEST
    yield "look for proofs of domains", PROVE
    yield "remind of open incidents", REMIND
    yield "look after this installation", TEND
    yield "read advisories", LISTEN if house.edges.feeds else None
    yield "publish filter states", PUBLISH if house.settings.status.public else None
    wanted = house.settings.heartbeat.enabled
    yield HEARTBEAT, heartbeat_plan(session, owner, house.settings) if wanted else None


def _owner(session: Session) -> OrganisationRow:
    owner = session.exec(select(OrganisationRow).order_by(col(OrganisationRow.id))).first()
    if owner is None:
        owner = OrganisationRow(name="Default")
        session.add(owner)
        session.flush()
    return owner


def _says_other(known: ScheduleRow, plan: Plan) -> bool:
    return (known.kind, known.spec, known.args) != (plan.kind, plan.spec, plan.args)


def _stop(session: Session, known: ScheduleRow | None) -> None:
    if known is not None:
        known.enabled = False
        session.add(known)
