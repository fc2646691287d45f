"""What the judge is told, and when."""

from datetime import timedelta

import pytest
from sqlmodel import Session, select

from monitor.core.campaigns import Outcome
from monitor.core.incidents import State
from monitor.core.observations import JUDGED, Observation, TimePassed
from monitor.core.placements import LADDER, Placement, Sighting
from monitor.steps.observe import observe
from monitor.steps.pass_time import pass_time
from monitor.store import incidents, observations, sightings
from monitor.store.placement_tests import ENDS_AFTER
from monitor.store.tables import EvidenceRow, HandoverRow, TestRow
from monitor.store.verdict_tables import ObservationRow
from monitor.store.work_tables import JobRow
from tests.steps.stories import event
from tests.steps.world import World


def see(world: World, test: TestRow, *placements: Placement, contaminated: bool = False) -> None:
    """Write one sighting for each of the test's copies, in order."""
    looks = [
        (copy.id or 0, Sighting(world.clock.now(), placement, contaminated=contaminated))
        for copy, placement in zip(world.copies(test), placements, strict=False)
    ]
    sightings.add(world.session, looks)
    world.session.commit()


def take(world: World, test: TestRow, outcome: Outcome = Outcome.ACCEPTED) -> None:
    """Let each of the test's copies have been handed over, with this outcome."""
    now = world.clock.now()
    world.session.add_all(
        HandoverRow(
            copy_id=copy.id or 0, attempt=1, started_at=now, finished_at=now, outcome=outcome
        )
        for copy in world.copies(test)
    )
    world.session.commit()


def tell(world: World, test: TestRow, look: int = 0) -> int:
    told = observe(world.session, test_id=test.id or 0, look=look, now=world.clock.now())
    world.session.commit()
    return told


def told(session: Session) -> list[Observation]:
    """What the judge is to hear of mail, in order."""
    return [one for _, one in observations.after(session, 0) if isinstance(one, Observation)]


def jobs_of(session: Session, kind: str) -> list[JobRow]:
    return list(session.exec(select(JobRow).where(JobRow.kind == kind)).all())


def test_a_cluster_is_told_with_each_seeds_placement(world: World, session: Session) -> None:
    test = world.new_test()
    see(world, test, Placement.INBOX, Placement.SPAM)
    assert tell(world, test) == 1
    (seen,) = told(session)
    assert dict(seen.placements) == {
        "seed1@mail.example": Placement.INBOX,
        "seed2@mail.example": Placement.SPAM,
        "seed3@mail.example": Placement.PENDING,
    }
    assert (seen.sender, seen.provider, seen.look) == ("news.example.org", "gmail", 0)
    assert "url:links.example.net" in seen.features
    assert set(seen.regions.values()) == {"eu"}


def test_a_cluster_of_which_nothing_is_decided_is_not_told(world: World) -> None:
    test = world.new_test()
    see(world, test, Placement.PENDING, Placement.UNKNOWN, Placement.PENDING)
    assert tell(world, test) == 0


def test_a_cluster_whose_mailboxes_cannot_be_read_is_told(world: World, session: Session) -> None:
    test = world.new_test()
    take(world, test)
    see(world, test, *[Placement.PENDING] * 3)
    world.later(minutes=30)
    see(world, test, *[Placement.UNKNOWN] * 3)
    assert tell(world, test) == 1
    (seen,) = told(session)
    assert set(seen.placements.values()) == {Placement.UNKNOWN}
    assert len(jobs_of(session, "judge")) == 1


def test_that_the_mailboxes_can_be_read_again_is_told_too(world: World, session: Session) -> None:
    test = world.new_test()
    take(world, test)
    for placement in (Placement.UNKNOWN, Placement.PENDING):
        see(world, test, *[placement] * 3)
        tell(world, test)
        world.later(hours=1)
    blind, sighted = (seen.placements for seen in told(session))
    assert set(blind.values()) == {Placement.UNKNOWN}
    assert set(sighted.values()) == {Placement.PENDING}


def test_one_mailbox_that_can_be_read_is_enough_to_see_a_provider(world: World) -> None:
    test = world.new_test()
    take(world, test)
    see(world, test, Placement.UNKNOWN, Placement.UNKNOWN, Placement.PENDING)
    assert tell(world, test) == 0


@pytest.mark.parametrize("outcome", [Outcome.UNCERTAIN, Outcome.FAILED, Outcome.DEFERRED])
def test_what_nobody_knows_to_be_sent_says_nothing_of_our_sight(
    world: World, outcome: Outcome
) -> None:
    test = world.new_test()
    take(world, test, outcome)
    see(world, test, *[Placement.UNKNOWN] * 3)
    assert tell(world, test) == 0


def test_what_was_given_up_after_its_last_look_says_nothing_of_our_sight(world: World) -> None:
    test = world.new_test()
    take(world, test)
    world.clock.set(test.send_at + LADDER[-1] + ENDS_AFTER)
    see(world, test, *[Placement.UNKNOWN] * 3)
    assert tell(world, test) == 0


def test_the_first_telling_is_look_0_whenever_it_comes(world: World, session: Session) -> None:
    test = world.new_test()
    tell(world, test, look=0)
    world.later(hours=1)
    see(world, test, Placement.INBOX)
    tell(world, test, look=1)
    world.later(hours=1)
    tell(world, test, look=2)
    assert [seen.look for seen in told(session)] == [0, 1]


def test_contaminated_copies_are_not_judged(world: World) -> None:
    test = world.new_test()
    see(world, test, *[Placement.INBOX] * 3, contaminated=True)
    assert tell(world, test) == 0


def test_a_blind_look_does_not_hide_what_was_seen_before(world: World, session: Session) -> None:
    test = world.new_test()
    see(world, test, Placement.INBOX)
    world.later(hours=1)
    see(world, test, Placement.UNKNOWN)
    tell(world, test)
    (seen,) = told(session)
    assert seen.placements["seed1@mail.example"] is Placement.INBOX


def test_each_look_puts_the_next_until_the_last(world: World, session: Session) -> None:
    test = world.new_test()
    for look in range(len(JUDGED)):
        world.clock.set(test.send_at + JUDGED[look])
        tell(world, test, look)
    due = sorted(job.due_at - test.send_at for job in jobs_of(session, "observe"))
    assert due == sorted(JUDGED)


def test_telling_wakes_the_judge(world: World, session: Session) -> None:
    test = world.new_test()
    see(world, test, Placement.INBOX)
    tell(world, test)
    (turn,) = jobs_of(session, "judge")
    assert turn.due_at == world.clock.now() + timedelta(seconds=1)


def test_tests_that_are_told_together_are_judged_together(world: World, session: Session) -> None:
    for key in ("one", "two", "three"):
        test = world.new_test(key)
        see(world, test, Placement.INBOX)
        tell(world, test)
    assert len(jobs_of(session, "judge")) == 1


def test_telling_twice_writes_two_looks_never_the_same_one(world: World, session: Session) -> None:
    test = world.new_test()
    see(world, test, Placement.INBOX)
    tell(world, test)
    tell(world, test)
    keys = [row.key for row in session.exec(select(ObservationRow))]
    assert keys == [f"{test.uid}:gmail:0", f"{test.uid}:gmail:1"]


def let_time_pass(world: World) -> list[TimePassed]:
    """Run the job twice, as after a crash; return what the judge is to hear of it."""
    for _ in range(2):
        pass_time(world.session, now=world.clock.now())
        world.session.commit()
    rows = observations.after(world.session, 0)
    return [one for _, one in rows if isinstance(one, TimePassed)]


def test_while_an_incident_is_open_the_judge_is_told_that_time_passes(
    world: World, session: Session
) -> None:
    incidents.append(session, event(world.clock.now(), state=State.RECOVERING))
    assert let_time_pass(world) == [TimePassed(world.clock.now())]
    assert len(jobs_of(session, "judge")) == 1


def test_with_no_incident_open_time_passes_unheard(world: World, session: Session) -> None:
    for state in (State.CONFIRMED, State.CLOSED):
        incidents.append(session, event(world.clock.now(), state=state))
    assert let_time_pass(world) == []
    assert jobs_of(session, "judge") == []


def deliver(world: World, test: TestRow, number: int, **found: object) -> str:
    """Hand a copy over now, and find it with these headers' facts, as received later."""
    copy = world.copies(test)[number]
    now = world.clock.now()
    handed = HandoverRow(copy_id=copy.id or 0, attempt=1, started_at=now, finished_at=now)
    handed.outcome = Outcome.ACCEPTED
    world.session.add(handed)
    world.session.add(EvidenceRow(copy_id=copy.id or 0, recorded_at=now, **found))
    world.session.commit()
    return f"seed{number + 1}@mail.example"


def test_delays_and_the_receivers_scores_are_told(world: World, session: Session) -> None:
    test = world.new_test()
    microsoft = {"name": "microsoft", "facts": {"scl": 5, "bcl": None}, "standing": "receiver"}
    claimed = {"name": "spamassassin", "facts": {"score": 9.5}, "standing": "claim"}
    came = world.clock.now() + timedelta(hours=2)
    seed = deliver(world, test, 0, received_at=came, facts={"filters": [microsoft, claimed]})
    deliver(world, test, 1, received_at=world.clock.now() - timedelta(hours=1))
    deliver(world, test, 2)
    see(world, test, *[Placement.INBOX] * 3)
    tell(world, test)
    ((_, seen),) = observations.after(session, 0)
    assert seen.gauges == {"delay_h": {seed: 2.0}, "scl": {seed: 5.0}}


def test_an_observation_of_before_delays_were_read_is_still_read(
    world: World, session: Session
) -> None:
    test = world.new_test()
    see(world, test, Placement.INBOX)
    tell(world, test)
    row = session.exec(select(ObservationRow)).one()
    row.body = {name: value for name, value in row.body.items() if name != "gauges"}
    session.commit()
    ((_, seen),) = observations.after(session, 0)
    assert seen.gauges == {}
