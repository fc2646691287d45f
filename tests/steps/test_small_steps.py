"""Check, listen, start and forget."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from sqlmodel import Session, select

from monitor.core.campaigns import Found, Wanted
from monitor.core.errors import AgainLaterError
from monitor.core.placements import Placement, Sighting
from monitor.core.ports import Advisory, LinkState, LinkVerdict, Published, Validators
from monitor.steps.check import LinkEdges, check
from monitor.steps.end import end
from monitor.steps.forget import forget
from monitor.steps.listen import listen
from monitor.steps.start import start
from monitor.store import inbound, jobs, sightings
from monitor.store.tables import EvidenceRow, InboundRow, LinkCheckRow, TestRow
from monitor.store.verdict_tables import AdvisoryRow
from monitor.store.work_tables import JobRow
from tests.steps.world import World

REWRITTEN = "https://safe.example.com/?url=https%3A%2F%2Flinks.example.net%2Fmarch"

SENDERS_OWN = "https://links.example.net/march"


class Body:
    """A mailbox that holds one copy, until it is removed."""

    def __init__(self) -> None:
        self.raw: bytes | None = b"see the links"

    def look(self, wanted: Sequence[Wanted]) -> list[Found]:
        return []

    def read(self, message_id: str, *, limit: int) -> bytes | None:
        return self.raw

    def close(self) -> None:
        pass


class Follower:
    """A link checker that says what it is told to, and keeps what it followed."""

    def __init__(self) -> None:
        self.state = LinkState.OK
        self.followed: list[str] = []

    def check(self, url: str, *, link_hosts: Sequence[str]) -> LinkVerdict:
        self.followed.append(url)
        return LinkVerdict(url, self.state, rewritten=True)


def run_check(world: World, test: TestRow, body: Body, follower: Follower, look: int) -> None:
    check(
        world.session,
        args={
            "test": test.id or 0,
            "provider": "gmail",
            "copy": world.copies(test)[0].id or 0,
            "look": look,
        },
        edges=LinkEdges(
            open_mailbox=lambda _seed: body,
            read_links=lambda raw: [REWRITTEN, SENDERS_OWN, REWRITTEN] if raw else [],
            checker=follower,
        ),
        link_hosts=("safe.example.com",),
        clock=world.clock,
    )
    world.session.commit()


def test_only_links_that_the_provider_rewrote_are_followed(world: World) -> None:
    follower = Follower()
    run_check(world, world.new_test(), Body(), follower, 0)
    assert follower.followed == [REWRITTEN]


def test_a_link_is_followed_again_after_its_copy_was_removed(
    world: World, session: Session
) -> None:
    test, body, follower = world.new_test(), Body(), Follower()
    run_check(world, test, body, follower, 0)
    body.raw = None
    follower.state = LinkState.BLOCKED
    world.later(hours=2)
    run_check(world, test, body, follower, 1)
    states = [row.state for row in session.exec(select(LinkCheckRow).order_by(LinkCheckRow.id))]  # type: ignore[arg-type]
    assert states == [LinkState.OK, LinkState.BLOCKED]


def test_a_check_that_is_asked_for_twice_is_made_once(world: World, session: Session) -> None:
    test, follower = world.new_test(), Follower()
    for _ in range(2):
        run_check(world, test, Body(), follower, 0)
    assert follower.followed == [REWRITTEN]
    assert len(session.exec(select(LinkCheckRow)).all()) == 1


def test_the_next_link_check_is_due_in_two_hours(world: World, session: Session) -> None:
    run_check(world, world.new_test(), Body(), Follower(), 0)
    (job,) = session.exec(select(JobRow).where(JobRow.kind == "check")).all()
    assert job.due_at == world.clock.now() + timedelta(hours=2)


def test_every_version_of_an_advisory_is_kept_once(world: World, session: Session) -> None:
    now = world.clock.now()
    first = Advisory(
        id="MO1",
        provider="microsoft365",
        title="Mail is quarantined",
        text="",
        started_at=now,
        ended_at=None,
        published_at=now,
        updated_at=now,
        is_resolved=False,
    )

    class Feed:
        name = "health"
        published = first

        def ask(self, known: Validators) -> Published:
            return Published((self.published,))

    feed = Feed()
    assert listen(session, [feed], world.clock) == 1
    assert listen(session, [feed], world.clock) == 0
    feed.published = replace(
        first, started_at=now - timedelta(hours=9), updated_at=now + timedelta(hours=1)
    )
    assert listen(session, [feed], world.clock) == 1
    assert len(session.exec(select(AdvisoryRow)).all()) == 2


def test_a_turn_of_a_schedule_makes_one_test_however_often_it_runs(
    world: World, session: Session
) -> None:
    args = {"campaign": world.campaign.id, "seed_list": "default"}
    for _ in range(2):
        start(
            session,
            args=args,
            key="schedule:1:nine",
            now=world.clock.now(),
            rng=random.Random(1),
        )
        session.commit()
    assert len(session.exec(select(TestRow)).all()) == 1


def test_old_headers_are_forgotten_and_what_they_said_stays(world: World, session: Session) -> None:
    copy = world.copies(world.new_test())[0]
    found = Found(copy.message_id, "INBOX", role="inbox", headers=b"X-Old: yes\r\n\r\n")  # type: ignore[arg-type]
    sightings.keep_evidence(session, copy.id or 0, found, {"spf": "pass"}, now=world.clock.now())
    session.commit()
    world.later(days=40)
    assert forget(session, now=world.clock.now(), keep_headers_for=timedelta(days=30)) == 1
    session.commit()
    row = session.exec(select(EvidenceRow)).one()
    assert (row.headers, row.facts) == (b"", {"spf": "pass"})


def test_reported_mail_is_kept_no_longer_than_headers(world: World, session: Session) -> None:
    for raw in (b"old", b"new"):
        inbound.keep(session, "anna@brand.example", "", raw, now=world.clock.now())
        session.commit()
        world.later(days=20)
    forget(session, now=world.clock.now(), keep_headers_for=timedelta(days=30))
    session.commit()
    assert [row.raw for row in session.exec(select(InboundRow)).all()] == [b"new"]


def test_a_test_ends_with_a_word_on_every_copy(world: World, session: Session) -> None:
    test = world.new_test()
    first, second, third = (copy.id or 0 for copy in world.copies(test))
    sightings.add(session, [(first, Sighting(world.clock.now(), Placement.INBOX))])
    sightings.add(session, [(second, Sighting(world.clock.now(), Placement.PENDING))])
    session.commit()
    world.later(hours=110)
    assert end(session, test_id=test.id or 0, now=world.clock.now()) == 2
    past = sightings.histories(session, [first, second, third])
    assert [past[copy][-1].placement for copy in (first, second, third)] == [
        Placement.INBOX,
        Placement.UNKNOWN,
        Placement.UNKNOWN,
    ]
    assert end(session, test_id=test.id or 0, now=world.clock.now()) == 0


def test_forgetting_goes_on_until_nothing_old_is_left(world: World, session: Session) -> None:
    for number in range(1200):
        jobs.put(session, "old", {}, unique_key=f"old:{number}", due_at=world.clock.now())
    lease = timedelta(minutes=1)
    for job in jobs.claim(session, now=world.clock.now(), lease=lease, limit=2000, kinds={"old"}):
        jobs.begin(session, job.id, job.attempt, now=world.clock.now(), lease=lease)
        assert jobs.finish(session, job, now=world.clock.now())
    session.commit()
    world.later(days=8)
    forget(session, now=world.clock.now(), keep_headers_for=timedelta(days=30))
    session.commit()
    assert len(session.exec(select(JobRow).where(JobRow.kind == "forget")).all()) == 1


def test_a_feed_that_fails_keeps_no_other_from_being_read(world: World, session: Session) -> None:
    class Silent:
        name = "silent"

        def ask(self, known: Validators) -> Published:
            raise AgainLaterError("no answer")

    class Speaking:
        name = "speaking"

        def ask(self, known: Validators) -> Published:
            now = world.clock.now()
            one = Advisory("EX1", "microsoft365", "t", "", now, None, now, now, False)
            return Published((one,))

    assert listen(session, [Silent(), Speaking()], world.clock) == 1
