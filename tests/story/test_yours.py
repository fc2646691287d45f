"""A campaign that the sender's own service sends: awaited, known again, and judged fairly."""

import smtplib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path

import pytest
from sqlmodel import Session, col, select

from monitor.core.campaigns import Match
from monitor.core.clock import ManualClock
from monitor.core.placements import Placement
from monitor.core.seeds import Endpoint, Security
from monitor.lab.lab import Lab
from monitor.store import expected, new_tests
from monitor.store.columns import saved
from monitor.store.new_tests import Expectation
from monitor.store.tables import (
    CampaignRow,
    CopyRow,
    EvidenceRow,
    SeedListRow,
    SeedRow,
    SightingRow,
    TestRow,
)
from monitor.store.ways import WayOut, way_out
from tests.story.home import Home, hosted, settings_at

SENDER = "news.example.org"
SUBJECT = "What is new in March"
ANNA, BERT, CARL = "anna@gmx.lab.example", "bert@outlook.lab.example", "carl@corporate.lab.example"
SEEDS = (ANNA, BERT, CARL)
WORDS = (
    "Spring has come to our valley, and with it the first of the new teas that we have waited "
    "for since the long dry autumn. Read what our gardeners say about them, and how the hills "
    "above the river smell after the rain. "
)


@dataclass
class Service:
    """A mail service that we know nothing of: its own Message-IDs, and its own header or none."""

    lab: Lab
    clock: ManualClock

    def send(self, *recipients: str, mark: str = "", subject: str = SUBJECT, **other: str) -> None:
        """Send the campaign to *recipients*, now."""
        for recipient in recipients:
            letter = EmailMessage()
            letter["From"] = other.get("sender", f"News <hello@{SENDER}>")
            letter["To"] = recipient
            letter["Subject"] = subject
            letter["Date"] = format_datetime(self.clock.now())
            letter["Message-ID"] = make_msgid(domain="bulk.example.net")
            if mark:
                letter["X-Campaign-ID"] = mark
            letter.set_content(f"Dear {recipient},\n\n{other.get('words', WORDS)}\n\nUnsubscribe\n")
            server = self.lab.smtp_route(recipient.rpartition("@")[2])
            with smtplib.SMTP(server.host, server.port, timeout=10) as connection:
                connection.send_message(letter, f"b@{SENDER}", [recipient])


@dataclass
class Town:
    """A house with three seeds, and a service that it knows nothing of."""

    home: Home
    service: Service
    clock: ManualClock

    def expect(self, key: str, *, mark: str = "", until_h: int = 24) -> int:
        """Announce the campaign; return the test's id."""
        with Session(self.home.house.engine) as session:
            campaign = session.exec(select(CampaignRow)).one()
            campaign.subject, campaign.text = SUBJECT, WORDS
            made = new_tests.expect(
                session,
                campaign,
                Expectation(key, timedelta(hours=until_h), mark),
                seed_list_id=saved(session.exec(select(SeedListRow)).one().id),
                now=self.clock.now(),
                rng=self.home.house.rng,
            )
            session.commit()
            return saved(made.id)

    def live(self, **span: float) -> None:
        """Let time pass, and do at its end all that fell due: looks that were late are one."""
        self.clock.sleep(timedelta(**span))
        self.home.live(timedelta(0))

    def way(self, test_id: int) -> WayOut:
        with Session(self.home.house.engine) as session:
            return way_out(session, session.get_one(TestRow, test_id))

    def unsent(self) -> list[int]:
        """The tests of which nobody knows that they were sent at all."""
        with Session(self.home.house.engine) as session:
            tests = session.exec(select(TestRow)).all()
            waiting = expected.not_arrived(session, [test.uid for test in tests])
            return [saved(test.id) for test in tests if test.uid in waiting]

    def page(self, test_id: int) -> str:
        """The test's page, as text."""
        with Session(self.home.house.engine) as session:
            uid = session.get_one(TestRow, test_id).uid
        return self.home.house.app().test_client().get(f"/tests/{uid}").text

    def received(self, test_id: int) -> dict[str, datetime | None]:
        """When the message came that was taken for each seed's copy."""
        with Session(self.home.house.engine) as session:
            rows = session.exec(
                select(SeedRow.address, EvidenceRow.received_at)
                .join(CopyRow, col(CopyRow.seed_id) == col(SeedRow.id))
                .join(EvidenceRow, col(EvidenceRow.copy_id) == col(CopyRow.id))
                .where(col(CopyRow.test_id) == test_id)
            ).all()
        return dict(rows)

    def latest(self, test_id: int) -> dict[str, SightingRow]:
        """The latest look at each seed's copy."""
        with Session(self.home.house.engine) as session:
            rows = session.exec(
                select(SeedRow.address, SightingRow)
                .join(CopyRow, col(CopyRow.seed_id) == col(SeedRow.id))
                .join(SightingRow, col(SightingRow.copy_id) == col(CopyRow.id))
                .where(col(CopyRow.test_id) == test_id)
                .order_by(col(SightingRow.looked_at))
            ).all()
        return dict(rows)

    def placements(self, test_id: int) -> dict[str, Placement]:
        return {seed: look.placement for seed, look in self.latest(test_id).items()}

    def reasons(self, test_id: int) -> dict[str, str]:
        return {seed: look.reason for seed, look in self.latest(test_id).items()}


@pytest.fixture
def town(tmp_path: Path, lab: Lab, clock: ManualClock) -> Iterator[Town]:
    home = Home(settings_at(tmp_path, Endpoint("127.0.0.1", 9, Security.PLAIN)), clock)
    home.bring_in([hosted(lab, address) for address in SEEDS], SENDER)
    yield Town(home, Service(lab, clock), clock)
    home.close()


def at(hour: int, minute: int) -> datetime:
    return datetime(2026, 3, 2, hour, minute, tzinfo=UTC)


def test_two_campaigns_of_one_subject_an_hour_apart_are_not_mixed_up(town: Town) -> None:
    first = town.expect("first")
    town.live(minutes=7)
    town.service.send(*SEEDS)
    town.live(minutes=53)
    second = town.expect("second")
    town.live(minutes=10)
    assert town.received(second) == {}
    town.service.send(*SEEDS)
    town.live(hours=2)
    assert town.received(first) == dict.fromkeys(SEEDS, at(8, 7))
    assert town.received(second) == dict.fromkeys(SEEDS, at(9, 10))
    for test in (first, second):
        assert set(town.placements(test).values()) == {Placement.INBOX}
        assert sum(town.way(test).matches.values()) == len(SEEDS)
        assert town.way(test).duplicates == 0
    assert [town.way(test).arrived_at for test in (first, second)] == [at(8, 7), at(9, 10)]


def test_the_services_own_mark_tells_campaigns_apart_whenever_they_come(town: Town) -> None:
    first = town.expect("first", mark="march-1")
    town.live(minutes=30)
    second = town.expect("second", mark="march-2")
    town.live(minutes=10)
    town.service.send(*SEEDS, mark="march-2")
    town.live(minutes=20)
    assert town.way(first).arrived_at is None
    assert town.unsent() == [first]
    town.service.send(*SEEDS, mark="march-1")
    town.live(hours=1)
    assert town.received(second) == dict.fromkeys(SEEDS, at(8, 40))
    assert town.received(first) == dict.fromkeys(SEEDS, at(9, 0))
    assert town.way(first).matches == town.way(second).matches == {Match.HEADER: 3}


def test_a_text_too_short_to_know_is_known_weakly_by_from_and_subject(town: Town) -> None:
    test = town.expect("first")
    town.service.send(*SEEDS, words="Tea.")
    town.service.send(ANNA, words="Tea.", subject="Fwd: " + SUBJECT, sender="x@friend.example")
    town.live(hours=1)
    assert town.way(test).matches == {Match.WEAK: 3}
    assert town.way(test).duplicates == 0


def test_a_campaign_that_is_sent_twice_or_forwarded_is_one_copy_still(town: Town) -> None:
    test = town.expect("first")
    town.live(minutes=1)
    town.service.send(ANNA, BERT, CARL)
    town.clock.set(at(8, 3))
    town.service.send(BERT, subject="Fwd: " + SUBJECT, sender="somebody@friend.example")
    town.live(minutes=30)
    town.service.send(*SEEDS)
    town.live(hours=3)
    assert town.received(test) == dict.fromkeys(SEEDS, at(8, 1))
    assert set(town.placements(test).values()) == {Placement.INBOX}
    assert town.way(test).duplicates >= len(SEEDS)


def test_what_was_not_sent_is_never_missing(town: Town) -> None:
    test = town.expect("first", until_h=4)
    town.live(hours=3)
    assert town.placements(test) == {}
    assert "Not arrived yet" in town.page(test)
    town.live(hours=80)
    assert set(town.placements(test).values()) == {Placement.UNKNOWN}
    assert set(town.reasons(test).values()) == {expected.NOT_ARRIVED}
    assert (town.home.work().due, town.home.work().dead) == (0, 0)


def test_a_seed_that_never_had_this_senders_mail_is_unknown_and_one_that_had_is_missing(
    town: Town,
) -> None:
    first = town.expect("first")
    town.live(minutes=20)
    town.service.send(ANNA, BERT)
    town.live(minutes=5)
    town.live(hours=8)
    assert town.placements(first) == {
        ANNA: Placement.INBOX,
        BERT: Placement.INBOX,
        CARL: Placement.UNKNOWN,
    }
    assert town.reasons(first)[CARL] == expected.NOT_ON_LIST
    assert "if this seed is on its list" in town.page(first)
    second = town.expect("second")
    town.service.send(ANNA)
    town.live(minutes=5)
    town.live(hours=8)
    assert town.placements(second) == {
        ANNA: Placement.INBOX,
        BERT: Placement.MISSING,
        CARL: Placement.UNKNOWN,
    }
