"""Seed mailboxes as they really are: huge, broken, crowded, shut. The line goes on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from monitor.core.clock import ManualClock
from monitor.core.placements import LADDER, Placement
from monitor.lab.lab import Lab
from monitor.lab.scenario import load_scenario
from monitor.store.placement_tests import ENDS_AFTER
from tests.story.home import Home, hosted, settings_at
from tests.story.relay import relaying

SENDER = "news.example.org"
BIG = 50 * 1024 * 1024
SHUT = """
[[rule]]
action = "imap_lock"
recipient = "shut@gmx.lab.example"
text = "[AUTHENTICATIONFAILED] Application-specific password required"

[[rule]]
action = "imap_outage"
provider = "yahoo"
"""
WELL = ("well@gmx.lab.example", "well@outlook.lab.example")
BROKEN = (
    b"\xff\xfe\x00\x01\r\n\r\nno header at all\r\n",
    b"Subject: =?utf-8?b?4pyT4pyT?= =?x-none?q?=ff=fe?= =?utf-8?q?=C3?=\r\n\r\n",
    b"Subject: \xe4\xf6\xfc raw latin-1\r\nFrom: \xc3\x28 <\xa0@\xff>\r\n\r\nx\r\n",
    b"Message-ID: <\xff\xfe@\x00>\r\nMessage-ID: no brackets\r\nMessage-ID:\r\n\r\nx\r\n",
    b"X-Seedwatch-Test: =?utf-16?b?//4=?=\r\nTo: =?iso-2022-jp?b?GyRC?=\r\n\r\nx\r\n",
    b"Received: \r\n \r\n\t\r\nDate: 99 Foo 0000 99:99:99 +9999\r\nReceived: from\r\n\r\nx\r\n",
    b": no name\r\nno colon\r\nSubject" + b"x" * 20_000 + b": long\r\n\r\nx\r\n",
    b"",
)


@dataclass
class Morning:
    """A house whose test went out to mailboxes that were in a state already."""

    home: Home
    lab: Lab
    clock: ManualClock

    def placements(self, address: str) -> list[Placement]:
        return [look.placement for look in self.home.looks()[address]]

    def reasons(self, address: str) -> set[str]:
        return {look.reason for look in self.home.looks()[address]}


Prepare = Callable[..., Morning]


@pytest.fixture
def wake_up(tmp_path: Path, clock: ManualClock) -> Iterator[Prepare]:
    """Send a test to one mailbox in a state of its own and to others, and live for an hour."""
    with (
        Lab(load_scenario(SHUT, name="shut"), clock=clock, seed=1) as lab,
        relaying(lab) as relay,
    ):
        homes: list[Home] = []

        def prepared(*addresses: str, before: Callable[[Lab], None]) -> Morning:
            seeds = [hosted(lab, address) for address in (*WELL, *addresses)]
            before(lab)
            home = Home(settings_at(tmp_path, relay.endpoint), clock)
            homes.append(home)
            home.bring_in(seeds, SENDER)
            home.send_test(SENDER)
            home.live(timedelta(hours=1))
            return Morning(home, lab, clock)

        yield prepared
        for home in homes:
            home.close()


EVERY_LOOK = [Placement.INBOX] * 5  # at 1, 5, 15, 30 and 60 minutes


@pytest.mark.parametrize(
    "message",
    [b"Subject: big\r\n\r\n" + b"x" * 70 + b"\r\n", b"X-Endless: ", b""],
    ids=["body", "header", "not even a line"],
)
def test_a_copy_is_found_beside_a_message_of_50_mb(wake_up: Prepare, message: bytes) -> None:
    big = "big@corporate.lab.example"
    raw = message + b"y" * (BIG - len(message))
    morning = wake_up(big, before=lambda lab: lab.add_message(big, "INBOX", raw))
    for address in (big, *WELL):
        assert morning.placements(address) == EVERY_LOOK


def test_a_copy_is_found_among_headers_in_broken_encodings(wake_up: Prepare) -> None:
    broken = ("broken@gmail.lab.example", "broken@icloud.lab.example")

    def break_them(lab: Lab) -> None:
        for address in broken:
            for raw in BROKEN:
                lab.add_message(address, "INBOX", raw)

    morning = wake_up(*broken, before=break_them)
    for address in (*broken, *WELL):
        assert morning.placements(address) == EVERY_LOOK


def test_a_copy_is_found_among_20_000_other_messages(wake_up: Prepare) -> None:
    crowded = "crowded@workspace.lab.example"
    morning = wake_up(crowded, before=lambda lab: lab.fill(crowded, 20_000))
    for address in (crowded, *WELL):
        assert morning.placements(address) == EVERY_LOOK


def test_looking_marks_nothing_as_read(wake_up: Prepare) -> None:
    seed = "full@corporate.lab.example"
    morning = wake_up(seed, before=lambda lab: lab.fill(seed, 300))
    assert morning.lab.flags(seed, "INBOX") == [set()] * 301


def test_a_mailbox_that_is_shut_is_unknown_with_its_reason_and_the_others_go_on(
    wake_up: Prepare,
) -> None:
    shut, down = "shut@gmx.lab.example", "down@yahoo.lab.example"
    morning = wake_up(shut, down, before=lambda lab: None)
    assert morning.placements(shut) == morning.placements(down) == [Placement.UNKNOWN] * 5
    (refused,), (silent,) = morning.reasons(shut), morning.reasons(down)
    assert "sign-in refused" in refused
    assert "Application-specific password required" in refused
    assert "cannot read down@yahoo.lab.example" in silent
    for address in WELL:
        assert morning.placements(address) == EVERY_LOOK


def test_the_ladder_is_climbed_to_its_end_although_a_mailbox_is_shut(wake_up: Prepare) -> None:
    shut = "shut@gmx.lab.example"
    morning = wake_up(shut, before=lambda lab: None)
    morning.home.live(LADDER[-1] + ENDS_AFTER)
    assert [len(looks) for looks in morning.home.looks().values()] == [len(LADDER)] * 3
    work = morning.home.work()
    assert (work.due, work.dead) == (0, 0)
