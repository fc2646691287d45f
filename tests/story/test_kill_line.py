"""kill -9 anywhere on the line, again and again: nothing is lost, nothing happens twice."""

import imaplib
import json
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

import pytest
from sqlmodel import Session, col
from sqlmodel import select as choose

from monitor.core.campaigns import Outcome
from monitor.core.clock import ManualClock
from monitor.core.incidents import State
from monitor.core.observations import JUDGED
from monitor.core.placements import Placement, next_look
from monitor.judge.judge import Judge
from monitor.lab.lab import Lab
from monitor.lab.scenario import load_scenario
from monitor.settings import load_settings, write_config
from monitor.steps.judge import hear
from monitor.store import observations
from monitor.store.route_tables import RouteRow
from monitor.store.tables import CopyRow, HandoverRow, SeedRow, SightingRow, TestRow
from monitor.store.verdict_tables import AlertRow, IncidentEventRow, ObservationRow
from monitor.store.work_tables import JobRow, JobState
from monitor.wiring.routine import put_routine
from tests.story.home import PASSWORD, Home, hosted
from tests.story.kill_worker import MOMENTS, Worker, dooms

pytestmark = pytest.mark.timeout(240)  # for machines with much else to do: it takes about 15 s
START = datetime(2026, 3, 2, 6, tzinfo=UTC)
SCENARIO = """
[[rule]]
provider = "microsoft365"
action = "spam"
from = "1h"
until = "3h"

[[rule]]
provider = "gmx"
action = "greylist"
delay = "2m"
"""
SEEDS = {"m365": 4, "gmail": 2, "yahoo": 2, "gmx": 2, "icloud": 2, "outlook": 2, "corporate": 2}
SENDERS = tuple(f"{name}.example.org" for name in ("alder", "birch", "cedar", "dogwood"))
READERS = 4  # of each sender's alerts
LENGTH = timedelta(hours=9, minutes=50)  # by then the incident is over, and its end is told
DEADLY = timedelta(hours=9)  # then nobody dies, so that leases run out
PLANNED = timedelta(hours=7)
SHOTS = 8
MESSAGE_ID = re.compile(rb"(?i)message-id:\s*(<[^>]*>)")


@dataclass
class Aftermath:
    """What is left when the killing is over."""

    lab: Lab
    home: Home
    worker: Worker
    log: str

    @property
    def end(self) -> datetime:
        return START + LENGTH

    def rows(self, query: Any) -> list[Any]:
        with Session(self.home.house.engine) as session:
            return list(session.exec(query).all())

    @cached_property
    def copies(self) -> dict[int, tuple[str, str]]:
        """Message-ID and recipient of each copy."""
        seeds = choose(CopyRow.id, CopyRow.message_id, SeedRow.address)
        found = self.rows(seeds.join(SeedRow, col(SeedRow.id) == col(CopyRow.seed_id)))
        return {copy: (message_id, address) for copy, message_id, address in found}

    @cached_property
    def looks(self) -> dict[int, list[SightingRow]]:
        """The sightings of each copy, oldest first."""
        found: dict[int, list[SightingRow]] = defaultdict(list)
        for row in self.rows(choose(SightingRow).order_by(col(SightingRow.looked_at))):
            found[row.copy_id].append(row)
        return found

    @cached_property
    def mail(self) -> dict[str, Counter[str]]:
        """What lies in each mailbox, as anybody can see by IMAP: Message-IDs, and how many."""
        routes = self.rows(choose(RouteRow.address))
        owners = {address for _, address in self.copies.values()} | set(routes)
        return {owner: _letters(self.lab, owner) for owner in sorted(owners)}


def _letters(lab: Lab, owner: str) -> Counter[str]:
    domain = owner.partition("@")[2].replace("inbox.", "corporate.")
    provider = next(p for p in lab.providers.values() if p.domain == domain)
    found: Counter[str] = Counter()
    with imaplib.IMAP4(provider.imap.host, provider.imap.port) as mailbox:
        mailbox.login(owner, PASSWORD)
        for line in mailbox.list()[1]:
            assert isinstance(line, bytes)
            attributes, _, folder = line.decode().partition(' "/" ')
            # Gmail shows the inbox's messages once more in the folder for all mail.
            if "\\Noselect" in attributes or "\\All" in attributes:
                continue
            _, (count,) = mailbox.select(folder, readonly=True)
            if count != b"0":
                _, parts = mailbox.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
                found.update(
                    match[1].decode()
                    for part in parts
                    if isinstance(part, tuple) and (match := MESSAGE_ID.search(part[1]))
                )
    return found


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aftermath]:
    """Half a day of four senders' tests, with a worker that dies all the time."""
    clock = ManualClock(START)
    folder, rng = tmp_path_factory.mktemp("kill"), random.Random(20260302)
    config, log = write_config(folder), folder / "worker.log"
    said = config.read_text("utf-8")
    config.write_text(said.replace("#prove_domains = true", "prove_domains = false"), "utf-8")
    with (
        Lab(load_scenario(SCENARIO, name="kill"), clock=clock, seed=1) as lab,
        closing(Home(load_settings(config, {}), clock)) as home,
    ):
        settle(home, lab)
        routes = {p.domain: (p.smtp.host, p.smtp.port) for p in lab.providers.values()}
        routes["inbox.lab.example"] = routes["corporate.lab.example"]
        args = (str(config), json.dumps(routes), START.isoformat())
        worker = Worker(args, log, dooms(rng, START, PLANNED), rng)
        try:
            live(home, worker, rng)
        finally:
            status = worker.end()
        assert status == 0
        yield Aftermath(lab, home, worker, log.read_text("utf-8"))


def settle(home: Home, lab: Lab) -> None:
    """Sixteen seeds, four senders who mail every two hours, and the people who are told."""
    seeds = [
        hosted(lab, f"seed{number}@{name}.lab.example")
        for name, count in SEEDS.items()
        for number in range(count)
    ]
    home.bring_in(seeds, *SENDERS)
    put_routine(home.house)
    for sender in SENDERS:
        # The copies of one leave in several parts, each a job that is put by the one before.
        home.mail_regularly(sender, "every 2h", over_s=60 if sender == SENDERS[-1] else 0)
        for number in range(READERS):
            reader = f"{sender.partition('.')[0]}{number}@inbox.lab.example"
            lab.add_mailbox(reader, PASSWORD)
            home.tell(sender, reader)


def live(home: Home, worker: Worker, rng: random.Random) -> None:
    """Go from one thing that is due to the next; die all along."""
    shots = sorted(START + DEADLY * rng.random() for _ in range(SHOTS))
    while (moment := home.next_moment()) is not None and moment <= START + LENGTH:
        home.clock.set(moment)
        is_deadly = moment <= START + DEADLY
        if not is_deadly:
            worker.plan = []
        before = worker.shots
        is_shot = is_deadly and any(at <= moment for at in shots)
        worker.work_until(home.clock.now(), shoot=is_shot)
        del shots[: worker.shots - before]
    home.clock.set(START + LENGTH)


def test_it_was_killed_at_every_kind_of_work(aftermath: Aftermath) -> None:
    worker = aftermath.worker
    assert {death.partition(":")[0] for death in worker.deaths} == set(MOMENTS)
    assert len(worker.deaths) >= 20
    assert worker.shots >= 4


def test_it_met_nothing_unforeseen(aftermath: Aftermath) -> None:
    assert "Traceback" not in aftermath.log


def test_no_mailbox_holds_a_message_twice(aftermath: Aftermath) -> None:
    assert len(aftermath.copies) == 4 * len(SENDERS) * sum(SEEDS.values())
    for letters in aftermath.mail.values():
        assert set(letters.values()) <= {1}


def test_each_copy_was_accepted_once_or_its_doubt_is_written_down(aftermath: Aftermath) -> None:
    attempts: dict[int, list[Outcome | None]] = defaultdict(list)
    rows = choose(HandoverRow.copy_id, HandoverRow.outcome).order_by(col(HandoverRow.attempt))
    for copy, outcome in aftermath.rows(rows):
        attempts[copy].append(outcome)
    assert attempts.keys() == aftermath.copies.keys()
    for copy, (*before, last) in attempts.items():
        message_id, address = aftermath.copies[copy]
        assert set(before) <= {Outcome.DEFERRED}
        assert last in {Outcome.ACCEPTED, Outcome.UNCERTAIN}
        assert last is Outcome.UNCERTAIN or message_id in aftermath.mail[address]


def test_a_copy_in_doubt_is_found_or_unknown_but_never_missing(aftermath: Aftermath) -> None:
    uncertain = choose(HandoverRow.copy_id).where(HandoverRow.outcome == Outcome.UNCERTAIN)
    doubtful = aftermath.rows(uncertain)
    assert doubtful, "no kill hit a handover: this proves nothing"
    for copy in doubtful:
        message_id, address = aftermath.copies[copy]
        seen = {look.placement for look in aftermath.looks[copy]}
        if message_id in aftermath.mail[address]:
            assert seen <= {Placement.INBOX, Placement.SPAM}
        else:
            assert seen == {Placement.UNKNOWN}


def test_every_ladder_goes_on(aftermath: Aftermath) -> None:
    out = choose(HandoverRow.copy_id, HandoverRow.finished_at).where(
        HandoverRow.outcome != Outcome.DEFERRED
    )
    for copy, sent_at in aftermath.rows(out):
        looks = aftermath.looks[copy]
        due = next_look(sent_at, looks[-1].looked_at if looks else None)
        assert due is not None
        assert due > aftermath.end - timedelta(minutes=1)


def test_all_work_was_done_once_and_none_was_given_up(aftermath: Aftermath) -> None:
    assert aftermath.home.work().late == 0
    assert aftermath.rows(choose(JobRow).where(JobRow.state == JobState.DEAD)) == []
    done = Counter(aftermath.rows(choose(JobRow.unique_key).where(JobRow.state == JobState.DONE)))
    again = {key for key, times in done.items() if times > 1}
    # A mailbox is looked into again, and the rest of a spread test has parts: these come back.
    assert {k for k in again if not k.startswith("look:") and not k.endswith(":rest")} == set()


def test_the_judge_was_told_once_per_look(aftermath: Aftermath) -> None:
    told: dict[tuple[int, str], list[ObservationRow]] = defaultdict(list)
    seen = choose(ObservationRow).where(col(ObservationRow.test_id).is_not(None))
    for row in aftermath.rows(seen.order_by(col(ObservationRow.id))):
        told[row.test_id, row.provider].append(row)
    sent = dict(aftermath.rows(choose(TestRow.id, TestRow.send_at)))
    assert {test for test, _ in told} == sent.keys()
    for (test, _), rows in told.items():
        due = [rung for rung in JUDGED if sent[test] + rung <= aftermath.end]
        assert [row.look for row in rows] == list(range(len(due)))
        assert len({row.at for row in rows}) == len(rows)


def test_the_judge_was_told_the_time_once_an_hour(aftermath: Aftermath) -> None:
    rows = choose(ObservationRow.at).where(col(ObservationRow.test_id).is_(None))
    told = aftermath.rows(rows.order_by(col(ObservationRow.id)))
    hours = [at.hour for at in told]  # a worker that died is late by its lease
    assert hours
    assert hours == [hours[0] + number for number in range(len(hours))]


def test_what_was_judged_is_what_an_undisturbed_judge_says(aftermath: Aftermath) -> None:
    judge = Judge()
    with Session(aftermath.home.house.engine) as session:
        events = [e for _, told in observations.after(session, 0) for e in hear(judge, told)]
    written = aftermath.rows(choose(IncidentEventRow).order_by(col(IncidentEventRow.id)))
    assert [(e.at, e.incident, e.state, e.cause, e.provider) for e in events] == [
        (e.at, e.incident, e.state, e.cause, e.provider) for e in written
    ]
    assert {e.state for e in written} >= {State.CONFIRMED, State.CLOSED}


def test_each_alert_reached_its_reader_once_or_its_doubt_is_written_down(
    aftermath: Aftermath,
) -> None:
    alerts = aftermath.rows(choose(AlertRow, RouteRow.address).join(RouteRow))
    assert len({address for _, address in alerts}) == len(SENDERS) * READERS
    for alert, address in alerts:
        if alert.sent_at is None:
            assert alert.dead_at
            assert "in doubt" in alert.error
        else:
            assert aftermath.mail[address][alert.message_id] == 1


def test_whom_the_bad_news_reached_the_good_news_is_owed(aftermath: Aftermath) -> None:
    alerts = aftermath.rows(choose(AlertRow, RouteRow.address).join(RouteRow))
    warned = {
        address
        for alert, address in alerts
        if alert.state is State.CONFIRMED and alert.message_id in aftermath.mail[address]
    }
    assert {address for alert, address in alerts if alert.state is State.CLOSED} >= warned
