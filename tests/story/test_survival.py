"""An alert that warns of a filter, to somebody behind that filter: it must reach a person."""

import email
import email.policy
import imaplib
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest
from sqlmodel import Session, col, select

from monitor.core.clock import ManualClock
from monitor.core.incidents import Cause
from monitor.core.routes import Arrival
from monitor.lab.lab import Lab
from monitor.lab.scenario import load_scenario
from monitor.settings.sections import Dns, Operator
from monitor.store import incidents, jobs
from monitor.store.columns import saved
from monitor.store.route_tables import RouteRow, TwinRow
from monitor.store.verdict_tables import AlertRow
from monitor.wiring.routine import put_routine
from tests.steps.stories import event
from tests.story.home import PASSWORD, Home, hosted, settings_at
from tests.story.relay import relaying

START = datetime(2026, 3, 2, 6, tzinfo=UTC)
SENDER = "news.example.org"
BLAMED = "lnk.example.net"
TEAM = "team@m365.lab.example"
CHIEF = "chief@gmail.lab.example"
OPERATOR = "ops@gmx.lab.example"
SCENARIO = """
about = "Microsoft 365 quarantines all mail."
[[rule]]
name = "everything"
provider = "microsoft365"
action = "quarantine"
"""


@pytest.fixture(scope="module")
def lab_and_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lab, Home]]:
    """An incident was confirmed an hour and a quarter ago, and all work since then is done."""
    clock = ManualClock(START)
    folder = tmp_path_factory.mktemp("survival")
    with Lab(load_scenario(SCENARIO, name="survival"), clock=clock, seed=1) as lab:
        for address in (TEAM, CHIEF, OPERATOR):
            lab.add_mailbox(address, PASSWORD)
        with relaying(lab) as relay:
            settings = settings_at(folder, relay.endpoint).model_copy(
                update={
                    "dns": Dns(servers=(f"{lab.dns[0]}:{lab.dns[1]}",)),
                    "operator": Operator(email=OPERATOR),
                }
            )
            with closing(Home(settings, clock)) as home:
                seeds = [hosted(lab, f"seed{n}@m365.lab.example") for n in (1, 2, 3)]
                home.bring_in(seeds, SENDER)
                home.tell(SENDER, TEAM)
                home.tell(SENDER, CHIEF)
                put_routine(home.house)
                befall(home)
                home.live(timedelta(minutes=75))
                yield lab, home


def befall(home: Home) -> None:
    """The chief's route is a second one only: it wants what is told to nobody else."""
    with Session(home.house.engine) as session:
        team, chief = session.exec(select(RouteRow).order_by(col(RouteRow.id)).limit(2)).all()
        team.second_id, chief.causes = chief.id, [str(Cause.POLICY)]
        session.add_all([team, chief])
        told = incidents.append(session, event(home.clock.now(), hit=(SENDER,)))
        args = {"event": saved(told.id)}
        jobs.put(session, "warn", args, unique_key="warn:1", due_at=home.clock.now())
        session.commit()


def inbox(lab: Lab, address: str) -> list[EmailMessage]:
    provider = next(p for p in lab.providers.values() if address.endswith("@" + p.domain))
    with imaplib.IMAP4(provider.imap.host, provider.imap.port) as server:
        server.login(address, PASSWORD)
        server.select("INBOX", readonly=True)
        _, (found,) = server.search(None, "ALL")
        raw = [server.fetch(number, "(RFC822)")[1][0][1] for number in found.split()]
    return [email.message_from_bytes(one, policy=email.policy.default) for one in raw]


def test_it_reaches_a_person_over_the_second_route(lab_and_home: tuple[Lab, Home]) -> None:
    lab, _ = lab_and_home
    assert inbox(lab, TEAM) == []
    assert len(inbox(lab, CHIEF)) == 1


def test_nothing_in_it_names_what_the_filter_blames(lab_and_home: tuple[Lab, Home]) -> None:
    """As the filter reads it: every header and every part, decoded."""
    lab, _ = lab_and_home
    [mail] = inbox(lab, CHIEF)
    said = [str(value) for value in mail.values()]
    said += [
        part.get_payload(decode=True).decode("utf-8", "replace")
        for part in mail.walk()
        if not part.is_multipart()
    ]
    assert any(BLAMED.replace(".", "[.]") in one for one in said)
    assert not any(BLAMED in one.lower() for one in said)


def test_twins_tell_that_it_may_not_have_arrived(lab_and_home: tuple[Lab, Home]) -> None:
    _, home = lab_and_home
    with Session(home.house.engine) as session:
        twins = session.exec(select(TwinRow)).all()
        alerts = session.exec(select(AlertRow).where(col(AlertRow.event_id).is_not(None))).all()
        arrivals = {alert.route_id: alert.arrival for alert in alerts}
    assert [twin.sent_at is not None for twin in twins] == [True, True, True]
    assert arrivals == {1: Arrival.UNCONFIRMED, 2: Arrival.UNASKED}
    page = home.house.app().test_client().get("/incidents/inc-1").get_data(as_text=True)
    assert "could not be confirmed</strong> to have arrived" in page


def test_the_operator_is_told_of_that_and_of_nothing_else(lab_and_home: tuple[Lab, Home]) -> None:
    lab, home = lab_and_home
    [mail] = inbox(lab, OPERATOR)
    assert "inc-1 may not have arrived" in str(mail["Subject"])
    page = home.house.app().test_client().get("/").get_data(as_text=True)
    assert "This installation needs you" in page
