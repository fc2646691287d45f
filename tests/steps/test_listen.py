"""Listening keeps every version, asks no oftener than it may, and matches what it hears."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlmodel import Session, select

from monitor.core.entered import entered
from monitor.core.errors import AgainLaterError, PersonNeededError, SeedwatchError
from monitor.core.incidents import Cause, Evidence, IncidentEvent, State
from monitor.core.observations import Admitted
from monitor.core.ports import Advisory, Published, Validators
from monitor.steps.listen import listen
from monitor.steps.match import match
from monitor.store import admissions, advisories, incidents, observations
from monitor.store.feed_tables import FeedRow
from monitor.store.verdict_tables import AdvisoryRow, ObservationRow
from monitor.store.work_tables import JobRow
from tests.steps.world import World

KNOWN = Validators('"7"', "Mon, 02 Mar 2026 08:00:00 GMT")


class Ear:
    """A feed that says what it is told to, and keeps what it was asked with."""

    def __init__(self, name: str = "health") -> None:
        self.name = name
        self.says: Published | SeedwatchError = Published()
        self.asked: list[Validators] = []

    def ask(self, known: Validators) -> Published:
        self.asked.append(known)
        if isinstance(self.says, SeedwatchError):
            raise self.says
        return self.says


@pytest.fixture
def first(world: World) -> Advisory:
    now = world.clock.now()
    return Advisory(
        "EX1227432",
        "microsoft365",
        "Mail is quarantined",
        "",
        started_at=now - timedelta(hours=9),
        ended_at=None,
        published_at=now,
        updated_at=now,
        is_resolved=False,
        kinds=("quarantine",),
        raw={"id": "EX1227432", "new": {"Deep": [1]}},
    )


def hear(world: World, ear: Ear, *told: Advisory) -> int:
    ear.says = Published(told, KNOWN)
    return listen(world.session, [ear], world.clock)


def versions(world: World) -> list[AdvisoryRow]:
    return list(world.session.exec(select(AdvisoryRow).order_by(AdvisoryRow.id)).all())  # type: ignore[arg-type]


def test_a_version_is_kept_raw_and_brings_the_work_of_matching(
    world: World, first: Advisory
) -> None:
    assert hear(world, Ear(), first) == 1

    (row,) = versions(world)
    assert (row.raw, row.source, row.kinds) == (first.raw, "health", ["quarantine"])
    assert {job.kind for job in world.session.exec(select(JobRow)).all()} == {"match", "judge"}


def test_a_text_that_changes_under_the_same_stamp_is_a_version(
    world: World, first: Advisory
) -> None:
    ear = Ear()
    hear(world, ear, first)
    world.later(minutes=15)
    renamed = replace(first, title="Mail is lost", raw={"id": "EX1227432", "title": "Mail is lost"})

    assert [hear(world, ear, renamed), hear(world, ear, renamed)] == [1, 0]
    world.later(minutes=15)
    assert hear(world, ear, first) == 1  # and back again

    story, rows = advisories.one(world.session, "EX1227432") or pytest.fail("not kept")
    assert [row.title for row in rows] == [first.title, "Mail is lost", first.title]
    assert (story.title, story.published_at, story.versions) == (first.title, rows[0].seen_at, 3)


def test_a_clock_ahead_of_ours_publishes_nothing_in_the_future(
    world: World, first: Advisory
) -> None:
    ahead = world.clock.now() + timedelta(hours=3)
    hear(world, Ear(), replace(first, published_at=ahead, updated_at=ahead))

    (row,) = versions(world)
    assert row.published_at == row.updated_at == row.seen_at == world.clock.now()


def test_who_does_not_say_when_it_published_did_so_when_we_first_saw_it(
    world: World, first: Advisory
) -> None:
    ear, silent = Ear(), replace(first, published_at=None, updated_at=None)
    hear(world, ear, silent)
    begun = world.clock.now()
    world.later(minutes=15)
    hear(world, ear, replace(silent, is_resolved=True, raw={"status": "resolved"}))

    assert [row.published_at for row in versions(world)] == [begun, begun]


def test_two_tenants_that_tell_the_same_make_one_version(world: World, first: Advisory) -> None:
    one, other = Ear("microsoft365:a"), Ear("microsoft365:b")

    assert [hear(world, one, first), hear(world, other, first)] == [1, 0]


def test_a_merged_advisory_goes_on_as_the_other_with_the_first_time_of_both(
    world: World, first: Advisory
) -> None:
    ear, began = Ear(), world.clock.now()
    hear(world, ear, first)
    world.later(hours=2)
    gone = replace(
        first, text="This has been merged into MO1148487.", is_resolved=True, raw={"m": 1}
    )
    heir = replace(first, id="MO1148487", published_at=world.clock.now(), raw={"id": "MO1148487"})
    hear(world, ear, gone, heir)

    told = {s.id: s for s in advisories.stories(world.session, since=began)}

    assert told["EX1227432"].goes_on_as == "MO1148487"
    assert told["MO1148487"].published_at == began


def test_what_the_last_answer_gave_makes_the_next_question_conditional(
    world: World, first: Advisory
) -> None:
    ear = Ear()
    hear(world, ear, first)
    world.later(minutes=15)
    ear.says = Published(validators=KNOWN, is_unchanged=True)

    assert listen(world.session, [ear], world.clock) == 0
    assert ear.asked == [Validators(), KNOWN]
    assert world.session.exec(select(FeedRow)).one().answered_at == world.clock.now()


@pytest.mark.parametrize(
    ("error", "pause"),
    [
        (AgainLaterError("busy"), timedelta(minutes=5)),
        (AgainLaterError("busy", retry_after=timedelta(minutes=40)), timedelta(minutes=40)),
        (AgainLaterError("busy", retry_after=timedelta(days=1)), timedelta(hours=6)),
        (PersonNeededError("refused"), timedelta(minutes=5)),
    ],
)
def test_a_feed_that_fails_rests_as_long_as_it_asked_and_no_longer_than_is_sane(
    world: World, session: Session, error: SeedwatchError, pause: timedelta
) -> None:
    ear = Ear()
    ear.says = error
    listen(session, [ear], world.clock)
    row = session.exec(select(FeedRow)).one()
    assert (row.failures, row.not_before) == (1, world.clock.now() + pause)

    world.later(seconds=pause.total_seconds() - 1)
    listen(session, [ear], world.clock)
    assert len(ear.asked) == 1
    world.later(seconds=1)
    listen(session, [ear], world.clock)
    session.refresh(row)
    assert (len(ear.asked), row.failures, row.answered_at) == (2, 2, None)


def test_a_feed_that_goes_on_failing_is_asked_once_an_hour(world: World) -> None:
    ear = Ear()
    ear.says = AgainLaterError("busy")
    for _ in range(12):
        listen(world.session, [ear], world.clock)
        world.later(hours=1)

    row = world.session.exec(select(FeedRow)).one()
    assert (len(ear.asked), row.failures) == (12, 12)
    ear.says = Published()
    listen(world.session, [ear], world.clock)
    world.session.refresh(row)
    assert (row.failures, row.not_before, row.problem) == (0, None, "")


def told(world: World) -> list[tuple[str, str, timedelta]]:
    rows = world.session.exec(select(ObservationRow).order_by(ObservationRow.id)).all()  # type: ignore[arg-type]
    heard = [one for _, one in observations.after(world.session, 0)]
    assert len(heard) == len(rows)
    return [(h.provider, h.advisory, h.until - h.at) for h in heard if isinstance(h, Admitted)]


def test_the_judge_hears_of_an_advisory_until_it_is_resolved(world: World, first: Advisory) -> None:
    ear, day = Ear(), timedelta(hours=24)
    hear(world, ear, first)
    world.later(hours=1)
    hear(world, ear, first)
    assert told(world) == [("microsoft365", "EX1227432", day)]

    world.later(hours=12)
    hear(world, ear, first)
    assert len(told(world)) == 2  # told again before it runs out
    hear(world, ear, replace(first, is_resolved=True, raw={"isResolved": True}))
    world.later(hours=1)
    hear(world, ear, replace(first, is_resolved=True, raw={"isResolved": True}))
    assert told(world)[2:] == [("microsoft365", "EX1227432", timedelta(0))]


def test_the_judge_hears_nothing_of_what_is_not_about_mail(world: World, first: Advisory) -> None:
    hear(world, Ear(), replace(first, title="Calendars cannot be shared", kinds=()))

    assert told(world) == []


def test_an_advisory_that_nobody_ends_stands_for_a_week(world: World, first: Advisory) -> None:
    ear = Ear()
    for _ in range(30):
        hear(world, ear, first)
        world.later(hours=10)

    assert sum((span for *_, span in told(world)), timedelta(0)) >= timedelta(days=7)
    assert max(o.until for _, o in observations.after(world.session, 0)) == (  # type: ignore[union-attr]
        versions(world)[0].published_at + timedelta(days=7)
    )


def test_gmail_s_advisory_is_told_of_workspace_too(world: World, first: Advisory) -> None:
    hear(world, Ear(), replace(first, provider="gmail"))

    assert [provider for provider, *_ in told(world)] == ["gmail", "google_workspace"]


def test_what_a_person_entered_is_told_to_the_judge_and_gives_way_to_the_feed(
    world: World, first: Advisory
) -> None:
    by_hand = entered({"id": "EX1227432"}, now=world.clock.now())
    now = world.clock.now()
    assert advisories.enter(world.session, by_hand, now=now)
    assert not advisories.enter(world.session, by_hand, now=now)
    assert admissions.tell(world.session, now=now) == 1
    story, _ = advisories.one(world.session, "EX1227432") or pytest.fail("not kept")
    assert story.is_entered

    world.later(hours=2)
    hear(world, Ear(), replace(first, published_at=now - timedelta(hours=1)))

    story, _ = advisories.one(world.session, "EX1227432") or pytest.fail("not kept")
    assert (story.title, story.is_entered) == ("Mail is quarantined", False)
    assert story.published_at == now - timedelta(hours=1)


def test_an_incident_is_matched_and_alerts_can_say_who_was_first(
    world: World, first: Advisory
) -> None:
    began = world.clock.now() - timedelta(hours=3)
    event = IncidentEvent(
        at=world.clock.now() - timedelta(hours=2),
        incident="microsoft365-1",
        state=State.CONFIRMED,
        cause=Cause.PROVIDER,
        start=began,
        start_low=began,
        start_high=began,
        posterior={},
        sentence="",
        reason="",
        provider="microsoft365",
        evidence=Evidence(placements={"quarantine": 9}),
    )
    incidents.append(world.session, event)
    names = {"microsoft365": "Microsoft 365"}
    assert advisories.lead_of(world.session, "microsoft365-1", names) == ""
    hear(world, Ear(), first)

    assert [match(world.session, now=world.clock.now()) for _ in range(2)] == [1, 1]

    (row,) = advisories.matches_of(world.session, advisory="EX1227432")
    assert (row.incident, row.lead_s) == ("microsoft365-1", 7200)
    assert advisories.lead_of(world.session, "microsoft365-1", names) == (
        "We saw it 2 h before EX1227432 was published."
    )
