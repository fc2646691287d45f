"""A monitor that cannot see says so of itself, and blames neither sender nor provider."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from sqlmodel import Session, col, select

from monitor.core.clock import ManualClock
from monitor.core.incidents import Cause, IncidentEvent, State
from monitor.core.observations import Observation
from monitor.core.placements import Placement
from monitor.lab.lab import Lab
from monitor.lab.scenario import load_scenario
from monitor.store import incidents, observations
from monitor.store.verdict_tables import IncidentEventRow
from tests.story.home import Home, hosted, settings_at
from tests.story.relay import relaying

SENDERS = ("news.example.org", "shop.example.net")
SEEDS = ("seed@gmx.lab.example", "seed@outlook.lab.example", "seed@yahoo.lab.example")
SHUT = "shut@yahoo.lab.example"
REFUSED = "[AUTHENTICATIONFAILED] Authentication failed"
UNSEEN_FOR = timedelta(hours=2)
ALL_SHUT = "".join(
    f"""
[[rule]]
action = "imap_lock"
recipient = "{seed}"
until = "2h"
text = "{REFUSED}"
"""
    for seed in SEEDS
)
SOME_SHUT = f"""
[[rule]]
action = "imap_lock"
recipient = "{SHUT}"
text = "{REFUSED}"

[[rule]]
action = "imap_outage"
provider = "gmx"
"""


@contextmanager
def mailing(trouble: str, seeds: Sequence[str], folder: Path, clock: ManualClock) -> Iterator[Home]:
    """A house whose senders mail every hour, in a lab whose mailboxes fail as *trouble* says."""
    with (
        Lab(load_scenario(trouble, name="blind"), clock=clock, seed=1) as lab,
        relaying(lab) as relay,
    ):
        home = Home(settings_at(folder, relay.endpoint), clock)
        home.bring_in([hosted(lab, seed) for seed in seeds], *SENDERS)
        for domain in SENDERS:
            home.mail_regularly(domain, "every 1h")
        yield home
        home.close()


def told(home: Home) -> list[IncidentEvent]:
    """Every event of every incident, in order of time."""
    with Session(home.house.engine) as session:
        rows = session.exec(select(IncidentEventRow).order_by(col(IncidentEventRow.id))).all()
        return [incidents.decode(row) for row in rows]


def test_a_monitor_that_cannot_see_any_mail_says_so_until_it_sees_again(
    tmp_path: Path, clock: ManualClock
) -> None:
    with mailing(ALL_SHUT, SEEDS, tmp_path, clock) as home:
        began = clock.now()
        home.live(timedelta(hours=2, minutes=40))
        for domain in SENDERS:
            home.mail_no_more(domain)
        home.live(timedelta(hours=4, minutes=30))  # its copies are looked at all the same
        events = told(home)
    assert list(dict.fromkeys(event.state for event in events)) == [
        State.CONFIRMED,
        State.RECOVERING,
        State.CLOSED,
    ]
    assert {event.cause for event in events} == {Cause.MONITOR}
    assert {(event.provider, event.sender) for event in events} == {(None, None)}
    assert "cannot see any mail" in events[0].sentence
    recovering = next(event for event in events if event.state is State.RECOVERING)
    assert events[0].at < began + UNSEEN_FOR < recovering.at


def test_one_shut_mailbox_and_one_provider_that_cannot_be_read_are_not_the_monitor(
    tmp_path: Path, clock: ManualClock
) -> None:
    with mailing(SOME_SHUT, (*SEEDS, SHUT), tmp_path, clock) as home:
        home.live(timedelta(hours=1, minutes=40))
        assert told(home) == []
        with Session(home.house.engine) as session:
            seen = [
                one for _, one in observations.after(session, 0) if isinstance(one, Observation)
            ]
    by_provider = {
        provider: {p for one in seen if one.provider == provider for p in one.placements.values()}
        for provider in ("gmx", "outlook", "yahoo")
    }
    assert by_provider == {
        "gmx": {Placement.UNKNOWN},
        "outlook": {Placement.INBOX},
        "yahoo": {Placement.INBOX, Placement.UNKNOWN},
    }
