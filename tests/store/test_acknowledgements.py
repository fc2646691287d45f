"""Who knows of an incident is not reminded of it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlmodel import Session

from monitor.core.clock import ManualClock
from monitor.store import acknowledgements
from monitor.store.columns import saved
from monitor.store.engine import open_engine, upgrade
from monitor.store.route_tables import AcknowledgementRow
from monitor.store.tables import OrganisationRow

ONE, OTHER = "microsoft365/1", "gmail/1"
HOUR = timedelta(hours=1)


class Desk:
    """Where two organisations' acknowledgements are kept."""

    def __init__(self, session: Session, clock: ManualClock) -> None:
        self.session, self.clock = session, clock
        owners = [OrganisationRow(name="Acme"), OrganisationRow(name="Other")]
        session.add_all(owners)
        session.flush()
        self.acme, self.other = (saved(owner.id) for owner in owners)

    def say(self, *, hours: float | None = None, by: str = "a@acme.example") -> AcknowledgementRow:
        now = self.clock.now()
        until = None if hours is None else now + hours * HOUR
        return acknowledgements.acknowledge(
            self.session, self.acme, ONE, by=by, now=now, until=until
        )

    def until(self, organisation: int | None = None, incident: str = ONE) -> datetime | str | None:
        """Until when reminders are off: a time, "for good", or None."""
        owner, now = organisation or self.acme, self.clock.now()
        row = acknowledgements.state(self.session, owner, incident, now)
        return None if row is None else row.until or "for good"

    def rows(self) -> int:
        return len(acknowledgements.of_incident(self.session, ONE))


@pytest.fixture
def desk(tmp_path: Path, clock: ManualClock) -> Iterator[Desk]:
    engine = open_engine(f"sqlite:///{tmp_path / 'seedwatch.db'}")
    upgrade(engine)
    with Session(engine) as session:
        yield Desk(session, clock)
    engine.dispose()


def test_an_acknowledgement_holds_for_good_and_for_its_own_organisation(desk: Desk) -> None:
    assert desk.until() is None
    desk.say()
    desk.clock.sleep(1000 * HOUR)
    assert desk.until() == "for good"
    assert desk.until(desk.other) is None
    assert desk.until(incident=OTHER) is None


def test_a_snooze_ends_and_the_latest_one_counts(desk: Desk) -> None:
    begin = desk.clock.now()
    desk.say(hours=72)
    desk.say(hours=4, by="b@acme.example")
    assert desk.until() == begin + 4 * HOUR
    desk.clock.sleep(5 * HOUR)
    assert desk.until() is None
    desk.say(hours=1)
    assert desk.until() == begin + 6 * HOUR


def test_to_say_it_again_changes_nothing(desk: Desk) -> None:
    first = desk.say(hours=4)
    desk.clock.sleep(timedelta(seconds=3))
    assert desk.say(hours=4) is first
    known = desk.say()
    assert desk.say(by="b@acme.example") is known
    assert desk.say(hours=4) is known
    assert desk.rows() == 2
    assert desk.until() == "for good"
