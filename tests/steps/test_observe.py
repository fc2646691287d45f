"""What the judge is told, and when."""

from datetime import timedelta

from sqlmodel import Session, select

from monitor.core.observations import JUDGED
from monitor.core.placements import Placement, Sighting
from monitor.steps.observe import observe
from monitor.store import observations, sightings
from monitor.store.tables import TestRow
from monitor.store.verdict_tables import ObservationRow
from monitor.store.work_tables import JobRow
from tests.steps.world import World


def see(world: World, test: TestRow, *placements: Placement, contaminated: bool = False) -> None:
    """Write one sighting for each of the test's copies, in order."""
    looks = [
        (copy.id or 0, Sighting(world.clock.now(), placement, contaminated=contaminated))
        for copy, placement in zip(world.copies(test), placements, strict=False)
    ]
    sightings.add(world.session, looks)
    world.session.commit()


def tell(world: World, test: TestRow, look: int = 0) -> int:
    told = observe(world.session, test_id=test.id or 0, look=look, now=world.clock.now())
    world.session.commit()
    return told


def jobs_of(session: Session, kind: str) -> list[JobRow]:
    return list(session.exec(select(JobRow).where(JobRow.kind == kind)).all())


def test_a_cluster_is_told_with_each_seeds_placement(world: World, session: Session) -> None:
    test = world.new_test()
    see(world, test, Placement.INBOX, Placement.SPAM)
    assert tell(world, test) == 1
    ((_, seen),) = observations.after(session, 0)
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


def test_the_first_telling_is_look_0_whenever_it_comes(world: World, session: Session) -> None:
    test = world.new_test()
    tell(world, test, look=0)
    world.later(hours=1)
    see(world, test, Placement.INBOX)
    tell(world, test, look=1)
    world.later(hours=1)
    tell(world, test, look=2)
    assert [seen.look for _, seen in observations.after(session, 0)] == [0, 1]


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
    ((_, seen),) = observations.after(session, 0)
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
