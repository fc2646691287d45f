"""What the house writes for each thing that is told, with links that its own pages know."""

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import Session

from monitor.core.clock import ManualClock
from monitor.core.ports import Advisory
from monitor.core.routes import About, Audience, Owed, Severity
from monitor.settings import demo_settings
from monitor.signed_links import Purpose
from monitor.store import advisories
from monitor.store.engine import upgrade
from monitor.store.feed_tables import MatchRow
from monitor.wiring import House, build
from monitor.wiring.letters import writers
from tests.edges.test_digest_mail import BODY
from tests.edges.test_email_alert import PROVIDER
from tests.wiring.test_routine import TENANT


@pytest.fixture
def house(tmp_path: Path, clock: ManualClock) -> Iterator[House]:
    settings = demo_settings(tmp_path, port=0, tenant=TENANT)
    built = build(settings, clock=clock, rng=random.Random(1))
    upgrade(built.engine)
    yield built
    built.close()


def owed(about: About, **fields: object) -> Owed:
    usual: dict[str, object] = {
        "alert_id": 1,
        "about": about,
        "thread": PROVIDER.incident,
        "topic": "confirmed",
        "severity": Severity.CRITICAL,
        "to": "a@b.example",
        "route_id": 7,
        "organisation_id": 1,
    }
    return Owed(**(usual | fields))  # type: ignore[arg-type]


def token(text: str, purpose: Purpose) -> str:
    return text.split(f"/l/{purpose}/", maxsplit=1)[1].split(maxsplit=1)[0]


def test_an_incident_can_be_acknowledged_and_put_off_from_its_mail(house: House) -> None:
    message = writers(house)[About.INCIDENT](owed(About.INCIDENT, event=PROVIDER))
    for purpose in (Purpose.ACKNOWLEDGE, Purpose.SNOOZE):
        subject = house.links.read(purpose, token(message.text, purpose))
        assert (subject.route_id, subject.about) == (7, PROVIDER.incident)


def test_a_sending_service_is_told_what_to_hold(house: House) -> None:
    about = owed(About.INCIDENT, event=PROVIDER, audience=Audience.ESP)
    message = writers(house)[About.INCIDENT](about)
    [advice] = message.payload["hold_advice"]  # type: ignore[misc]
    assert (advice["action"], advice["provider"]) == ("hold", "microsoft365")
    assert "protection.outlook.com" in message.text


def test_a_digest_can_be_left_and_a_question_answered(house: House) -> None:
    digest = writers(house)[About.DIGEST](owed(About.DIGEST, body=BODY))
    leave = house.links.read(Purpose.UNSUBSCRIBE, token(digest.text, Purpose.UNSUBSCRIBE))
    question = writers(house)[About.CONFIRM](owed(About.CONFIRM, body={"asked_by": "Ann"}))
    agree = house.links.read(Purpose.CONFIRM, token(question.text, Purpose.CONFIRM))
    assert (leave.route_id, leave.about) == (agree.route_id, agree.about) == (7, "a@b.example")


def test_a_trial_can_be_written(house: House) -> None:
    assert "nothing is wrong" in writers(house)[About.TRIAL](owed(About.TRIAL)).subject


def test_who_was_first_stands_in_the_alert_and_in_the_digest(
    house: House, clock: ManualClock
) -> None:
    now = clock.now()
    known = Advisory("EX1227432", "microsoft365", "Delays", "", now, None, now, now, False)
    lead = timedelta(hours=3, minutes=40).total_seconds()
    with Session(house.engine) as session:
        advisories.keep(session, known, source="tenant", now=now)
        session.add(
            MatchRow(
                advisory=known.id,
                incident=PROVIDER.incident,
                score=0.9,
                lead_s=lead,
                matched_at=now,
                body={},
            )
        )
        session.commit()
    body = BODY | {"incidents": [{"incident": PROVIDER.incident, "sentence": "It is hit."}]}
    alert = writers(house)[About.INCIDENT](owed(About.INCIDENT, event=PROVIDER))
    digest = writers(house)[About.DIGEST](owed(About.DIGEST, body=body))
    for message in (alert, digest):
        assert "We saw it 3 h 40 min before EX1227432 was published." in " ".join(
            message.text.split()
        )
