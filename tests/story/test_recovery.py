"""A mailbox that is shut for a while: unknown meanwhile, never missing, and noticed after."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import Session, select

from monitor.core.clock import ManualClock
from monitor.core.placements import Placement
from monitor.lab.lab import Lab
from monitor.lab.scenario import load_scenario
from monitor.store.tables import SeedHealthRow, SeedRow
from tests.story.home import Home, hosted, settings_at
from tests.story.relay import relaying

SENDER = "news.example.org"
SHUT, WELL = "shut@gmx.lab.example", "well@outlook.lab.example"
FOR_A_WHILE = """
[[rule]]
action = "imap_lock"
recipient = "shut@gmx.lab.example"
until = "20m"
text = "[AUTHENTICATIONFAILED] Authentication failed"
"""


@pytest.fixture
def home(tmp_path: Path, clock: ManualClock) -> Iterator[Home]:
    """A house whose test went out while one mailbox was shut; two hours have passed."""
    with (
        Lab(load_scenario(FOR_A_WHILE, name="for a while"), clock=clock, seed=1) as lab,
        relaying(lab) as relay,
    ):
        home = Home(settings_at(tmp_path, relay.endpoint), clock)
        home.bring_in([hosted(lab, SHUT), hosted(lab, WELL)], SENDER)
        home.send_test(SENDER)
        home.live(timedelta(hours=2))
        yield home
        home.close()


def test_a_seed_that_fails_is_unknown_and_its_recovery_is_noticed(
    home: Home, clock: ManualClock
) -> None:
    seen = [look.placement for look in home.looks()[SHUT]]
    assert seen == [Placement.UNKNOWN] * 3 + [Placement.INBOX] * 3
    assert {look.placement for look in home.looks()[WELL]} == {Placement.INBOX}
    with Session(home.house.engine) as session:
        rows = session.exec(select(SeedRow.address, SeedHealthRow).join(SeedHealthRow)).all()
    health = dict(rows)
    assert health[WELL].recovered_at is None
    assert (health[SHUT].failures, health[SHUT].problem) == (0, "")
    recovered = health[SHUT].recovered_at
    assert recovered is not None
    assert clock.now() - timedelta(minutes=91) < recovered < clock.now() - timedelta(minutes=89)
