"""What a running Seedwatch does by itself, as schedules in the database."""

from sqlmodel import Session, select

from monitor.store.columns import saved
from monitor.store.schedules import Plan, put_schedule
from monitor.store.tables import OrganisationRow
from monitor.store.work_tables import ScheduleRow
from monitor.wiring.house import House

ROUTINE = {
    "forget old headers": Plan("forget", "daily 03:30"),
    "read advisories": Plan("listen", "every 15m"),
}


def put_routine(house: House) -> None:
    """Put the schedules that every installation has, if they are not there yet."""
    with Session(house.engine) as session:
        owner = session.exec(select(OrganisationRow)).first()
        if owner is None:
            owner = OrganisationRow(name="Default")
            session.add(owner)
            session.flush()
        known = {schedule.name for schedule in session.exec(select(ScheduleRow)).all()}
        for name, plan in ROUTINE.items():
            if name not in known and (plan.kind != "listen" or house.edges.feeds):
                put_schedule(session, saved(owner.id), name, plan, now=house.clock.now())
        session.commit()
