"""What one look into a seed mailbox means."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel import Session, select

from monitor.core.campaigns import Found, Handover, Outcome, Role, Wanted
from monitor.core.errors import MailboxBusyError, SeedwatchError
from monitor.core.placements import LADDER, Placement
from monitor.core.ports import PartlyReadError
from monitor.steps.read import ReadingRules, read
from monitor.store import handovers, sightings
from monitor.store.tables import CopyRow, EvidenceRow, HandoverRow, SeedHealthRow, SightingRow
from monitor.store.work_tables import JobRow
from tests.steps.world import World

WINDOW = timedelta(hours=6)


class OneFolder:
    """A mailbox where every copy lies in the same folder, or nowhere."""

    def __init__(self, role: Role | None, *, headers: bytes = b"X-Spam-Status: No\r\n\r\n") -> None:
        self.role = role
        self.headers = headers
        self.trouble: SeedwatchError | None = None
        self.visits = 0

    def look(self, wanted: Sequence[Wanted]) -> list[Found]:
        self.visits += 1
        if self.trouble is not None:
            raise self.trouble
        if self.role is None:
            return []
        return [
            Found(w.message_id, folder=self.role.value, role=self.role, headers=self.headers)
            for w in wanted
        ]

    def read(self, message_id: str, *, limit: int) -> bytes | None:
        return None

    def close(self) -> None:
        pass


@pytest.fixture
def copy(world: World, session: Session) -> CopyRow:
    """A copy that was accepted just now."""
    first: CopyRow = world.copies(world.new_test())[0]
    accept(world, session, first)
    return first


def accept(world: World, session: Session, copy: CopyRow, *, their_id: str = "") -> None:
    owed = handovers.owed(session, copy.test_id, copy.provider)
    (mine,) = [one for one in owed if one.copy_id == copy.id]
    (attempt,) = handovers.begin(session, [mine], now=world.clock.now())
    taken = Handover(copy.message_id, Outcome.ACCEPTED, their_id=their_id)
    handovers.finish(session, attempt, taken, now=world.clock.now())
    session.commit()


def look(
    world: World, session: Session, copy: CopyRow, mailbox: OneFolder, *, contaminated: bool = False
) -> None:
    read(
        session,
        seed_id=copy.seed_id,
        open_mailbox=lambda _seed: mailbox,
        rules=ReadingRules(
            missing_after=WINDOW,
            read_facts=lambda _headers, _provider: {"contaminated": contaminated},
            rewriting_providers=frozenset({"gmail"}),
        ),
        clock=world.clock,
    )
    session.commit()


def placements(session: Session) -> list[Placement]:
    rows = session.exec(select(SightingRow).order_by(SightingRow.looked_at))  # type: ignore[arg-type]
    return [row.placement for row in rows]


def test_a_message_purged_overnight_is_noticed(
    world: World, session: Session, copy: CopyRow
) -> None:
    mailbox = OneFolder(Role.INBOX)
    world.later(minutes=1)
    look(world, session, copy, mailbox)
    world.later(hours=8)
    mailbox.role = None
    look(world, session, copy, mailbox)
    assert placements(session) == [Placement.INBOX, Placement.REMOVED]


def test_mail_quarantined_after_delivery_was_removed(
    world: World, session: Session, copy: CopyRow
) -> None:
    mailbox = OneFolder(Role.INBOX)
    world.later(minutes=1)
    look(world, session, copy, mailbox)
    world.later(minutes=5)
    mailbox.role = Role.QUARANTINE
    look(world, session, copy, mailbox)
    assert placements(session) == [Placement.INBOX, Placement.REMOVED]


def test_a_copy_is_pending_until_its_window_closes_then_missing(
    world: World, session: Session, copy: CopyRow
) -> None:
    mailbox = OneFolder(None)
    world.later(minutes=1)
    look(world, session, copy, mailbox)
    world.later(hours=8)
    look(world, session, copy, mailbox)
    assert placements(session) == [Placement.PENDING, Placement.MISSING]


def test_a_late_copy_is_no_longer_missing(world: World, session: Session, copy: CopyRow) -> None:
    mailbox = OneFolder(None)
    world.later(hours=8)
    look(world, session, copy, mailbox)
    world.later(hours=24)
    mailbox.role = Role.INBOX
    look(world, session, copy, mailbox)
    assert placements(session) == [Placement.MISSING, Placement.INBOX]


def test_a_mailbox_that_fails_is_unknown_with_its_reason_and_the_next_look_is_due(
    world: World, session: Session, copy: CopyRow
) -> None:
    mailbox = OneFolder(Role.INBOX)
    mailbox.trouble = MailboxBusyError("no answer in 10 seconds")
    world.later(minutes=1)
    look(world, session, copy, mailbox)
    row = session.exec(select(SightingRow)).one()
    assert (row.placement, row.reason) == (Placement.UNKNOWN, "no answer in 10 seconds")
    due = [job.due_at for job in session.exec(select(JobRow).where(JobRow.kind == "look"))]
    assert world.clock.now() + timedelta(minutes=4) in due


def test_being_blind_for_a_while_never_makes_a_copy_removed_or_missing(
    world: World, session: Session, copy: CopyRow
) -> None:
    mailbox = OneFolder(Role.INBOX)
    world.later(minutes=1)
    look(world, session, copy, mailbox)
    mailbox.trouble = MailboxBusyError("down")
    world.later(hours=9)
    look(world, session, copy, mailbox)
    mailbox.trouble = None
    world.later(hours=16)
    look(world, session, copy, mailbox)
    assert placements(session) == [Placement.INBOX, Placement.UNKNOWN, Placement.INBOX]


def test_a_copy_in_doubt_that_never_shows_is_unknown_not_missing(
    world: World, session: Session
) -> None:
    copy = world.copies(world.new_test())[0]
    accept(world, session, copy)
    attempt = session.exec(select(HandoverRow)).one()
    attempt.outcome = Outcome.UNCERTAIN
    session.commit()
    world.later(hours=24)
    look(world, session, copy, OneFolder(None))
    assert placements(session) == [Placement.UNKNOWN]


def test_between_the_rungs_nothing_is_visited(
    world: World, session: Session, copy: CopyRow
) -> None:
    mailbox = OneFolder(Role.INBOX)
    world.later(minutes=1)
    look(world, session, copy, mailbox)
    world.later(minutes=1)
    look(world, session, copy, mailbox)
    assert mailbox.visits == 1


def test_the_ladder_is_climbed_to_its_end_and_not_further(
    world: World, session: Session, copy: CopyRow
) -> None:
    start = world.clock.now()
    mailbox = OneFolder(Role.INBOX)
    for rung in LADDER:
        world.clock.set(start + rung)
        look(world, session, copy, mailbox)
    assert len(placements(session)) == len(LADDER)
    due = [job.due_at for job in session.exec(select(JobRow).where(JobRow.kind == "look"))]
    assert max(due) == start + LADDER[-1]


def test_the_headers_are_kept_once_and_a_link_check_is_due(
    world: World, session: Session, copy: CopyRow
) -> None:
    mailbox = OneFolder(Role.INBOX)
    for minutes in (1, 4, 10):
        world.later(minutes=minutes)
        look(world, session, copy, mailbox)
    assert session.exec(select(EvidenceRow)).one().headers == mailbox.headers
    assert len(session.exec(select(JobRow).where(JobRow.kind == "check")).all()) == 1


def test_a_copy_placed_by_the_mailboxs_own_lists_is_contaminated_in_every_look(
    world: World, session: Session, copy: CopyRow
) -> None:
    mailbox = OneFolder(Role.INBOX)
    world.later(minutes=1)
    look(world, session, copy, mailbox, contaminated=True)
    mailbox.headers = b""  # later looks do not read them again
    world.later(minutes=5)
    look(world, session, copy, mailbox)
    assert [row.contaminated for row in session.exec(select(SightingRow))] == [True, True]


def test_a_copy_in_the_trash_was_removed(world: World, session: Session, copy: CopyRow) -> None:
    world.later(minutes=1)
    look(world, session, copy, OneFolder(Role.TRASH))
    assert placements(session) == [Placement.REMOVED]


def test_what_was_found_counts_although_another_part_could_not_be_read(
    world: World, session: Session
) -> None:
    first, second = (world.copies(world.new_test(key))[0] for key in ("one", "two"))
    accept(world, session, first)
    accept(world, session, second)

    class Half(OneFolder):
        def look(self, wanted: Sequence[Wanted]) -> list[Found]:
            seen = Found(first.message_id, folder="INBOX", role=Role.INBOX)
            raise PartlyReadError("the tenant does not answer", partial=[seen])

    world.later(minutes=1)
    look(world, session, first, Half(None))
    rows = {row.copy_id: row for row in session.exec(select(SightingRow))}
    assert rows[first.id or 0].placement is Placement.INBOX
    assert rows[second.id or 0].placement is Placement.UNKNOWN
    assert rows[second.id or 0].reason == "the tenant does not answer"


class Slow(OneFolder):
    """A mailbox that takes its time: meanwhile, another look into it begins and ends."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        super().__init__(Role.INBOX)
        self.meanwhile = meanwhile

    def look(self, wanted: Sequence[Wanted]) -> list[Found]:
        self.meanwhile()
        return super().look(wanted)


@pytest.mark.parametrize(("seconds", "sightings"), [(0, 1), (5, 2)])
def test_a_look_that_was_overtaken_by_another_writes_nothing_twice(
    world: World, session: Session, copy: CopyRow, seconds: int, sightings: int
) -> None:
    world.later(minutes=1)

    def overtake() -> None:
        world.later(seconds=seconds)
        with Session(session.get_bind()) as other:
            look(world, other, other.get_one(CopyRow, 1), OneFolder(Role.INBOX))

    look(world, session, copy, Slow(overtake))
    assert placements(session) == [Placement.INBOX] * sightings
    assert len(session.exec(select(EvidenceRow)).all()) == 1
    checks = session.exec(select(JobRow).where(JobRow.kind == "check")).all()
    assert len(checks) == 1


def test_that_a_mailbox_fails_and_that_it_recovers_is_written_down(
    world: World, session: Session, copy: CopyRow
) -> None:
    mailbox = OneFolder(Role.INBOX)
    mailbox.trouble = MailboxBusyError("it is down.", remedy="Wait.")
    world.later(minutes=1)
    look(world, session, copy, mailbox)
    failing = session.get_one(SeedHealthRow, copy.seed_id)
    assert (failing.failures, failing.problem, failing.remedy) == (1, "it is down.", "Wait.")

    mailbox.trouble = None
    world.later(minutes=5)
    look(world, session, copy, mailbox)
    session.refresh(failing)
    assert (failing.failures, failing.recovered_at) == (0, world.clock.now())


class Renamed(OneFolder):
    """A mailbox whose copies bear the Message-ID of a mail service in place of ours."""

    def look(self, wanted: Sequence[Wanted]) -> list[Found]:
        self.asked = wanted
        return [replace(one, duplicates=self.visits) for one in super().look(wanted)]


def test_a_copy_that_a_service_renamed_is_looked_for_and_opened_by_that_name(
    world: World, session: Session
) -> None:
    copy = world.copies(world.new_test())[0]
    theirs = "<010f-7@mail.service.example>"
    accept(world, session, copy, their_id=theirs)
    world.later(minutes=1)
    mailbox = Renamed(Role.INBOX, headers=f"Message-ID: {theirs}\r\n\r\n".encode())
    look(world, session, copy, mailbox)
    assert [one.other_ids for one in mailbox.asked] == [(theirs,)]
    assert sightings.name_in_mailbox(session, copy) == theirs


@pytest.mark.parametrize("header", ["", 'Message-ID: "; LOGOUT\r\n', "Message-ID: %s\r\n"])
def test_a_copy_without_another_name_is_opened_by_ours(
    world: World, session: Session, copy: CopyRow, header: str
) -> None:
    raw = header % copy.message_id if "%s" in header else header
    world.later(minutes=1)
    look(world, session, copy, OneFolder(Role.INBOX, headers=f"{raw}Subject: x\r\n\r\n".encode()))
    assert sightings.name_in_mailbox(session, copy) == copy.message_id


def test_further_messages_of_the_same_campaign_are_counted_whenever_they_come(
    world: World, session: Session, copy: CopyRow
) -> None:
    mailbox = Renamed(Role.INBOX)
    for minutes in (1, 4, 10):
        world.later(minutes=minutes)
        look(world, session, copy, mailbox)
    assert session.exec(select(EvidenceRow.duplicates)).all() == [3]
