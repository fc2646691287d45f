"""The database counts what the domain tells, and finds it by index."""

import random
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import event
from sqlmodel import Session, select

from monitor.core.placements import Placement, Sighting, story
from monitor.store.pages import clusters, clusters_of, newest_tests
from monitor.store.pages_incidents import relevant
from monitor.store.pages_seeds import seed_health
from monitor.store.sightings import histories
from monitor.store.tables import CopyRow
from tests.web.conftest import build
from tests.web.worlds import HOUR, NOW, World, provider_incident, sender_incident, well


def told(looks: Sequence[Sighting]) -> tuple[Placement, Placement]:
    """First and current placement by the rules of the domain."""
    tale = story(looks)
    if tale.current is Placement.PENDING and looks:
        last = looks[-1].placement
        undecided = Placement.UNKNOWN if last is Placement.UNKNOWN else Placement.PENDING
        return undecided, undecided
    return tale.first, tale.current


def test_the_database_tells_the_same_story_as_the_domain(tmp_path: Path) -> None:
    rng = random.Random(11)

    def anything(_s: str, _p: str, _n: int, _at: datetime) -> list[Placement]:
        return rng.choices(list(Placement), k=rng.randrange(5))

    def wild(world: World) -> None:
        world.begin(each=5)
        world.rounds(anything, hours=12)

    world = build(wild, tmp_path)
    with Session(world.engine) as session:
        counted: Counter[tuple[int, str, Placement, Placement]] = Counter()
        for c in clusters(session, since=NOW - 99 * HOUR, until=NOW):
            counted[c.test_id, c.provider, c.first, c.current] += c.copies
        expected: Counter[tuple[int, str, Placement, Placement]] = Counter()
        copies = session.exec(select(CopyRow)).all()
        looks = histories(session, [copy.id or 0 for copy in copies])
        for copy in copies:
            expected[copy.test_id, copy.provider, *told(looks.get(copy.id or 0, []))] += 1
    assert counted == expected


def test_a_cluster_of_one_test_is_the_same_as_among_all(tmp_path: Path) -> None:
    def two(world: World) -> None:
        world.begin(providers=("gmail", "yahoo"))
        world.send("contoso", NOW - 3 * HOUR, well)
        world.send("adatum", NOW - 2 * HOUR, well)

    world = build(two, tmp_path)
    with Session(world.engine) as session:
        every = clusters(session, since=NOW - 9 * HOUR, until=NOW)
        assert [c for c in every if c.test_id == 1] == clusters_of(session, 1)
        assert clusters(session, since=NOW - 9 * HOUR, until=NOW - 2.5 * HOUR) == clusters_of(
            session, 1
        )


def test_no_question_reads_all_sightings(tmp_path: Path) -> None:
    """Whatever the overview asks is found by index; plans do not depend on the machine."""

    def some(world: World) -> None:
        world.begin(providers=("gmail",))
        world.rounds(well, hours=4)

    world = build(some, tmp_path)
    asked: list[tuple[str, object]] = []

    @event.listens_for(world.engine, "before_cursor_execute")
    def note(_c: object, _cursor: object, sql: str, values: object, *_more: object) -> None:
        asked.append((sql, values))

    with Session(world.engine) as session:
        clusters(session, since=NOW - 9 * HOUR, until=NOW)
        newest_tests(session, limit=8)
        seed_health(session, since=NOW - 9 * HOUR)
        relevant(session, since=NOW - 9 * HOUR)
    event.remove(world.engine, "before_cursor_execute", note)
    with world.engine.connect() as connection:
        for sql, values in asked:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values)  # type: ignore[arg-type]
            plan = [str(row[3]) for row in rows]
            assert not [step for step in plan if step.startswith("SCAN sighting")], plan
    assert len(asked) >= 4


def test_the_number_of_questions_does_not_grow_with_the_data(tmp_path: Path) -> None:
    asked = []
    for hours in (2, 12):

        def some(world: World, hours: int = hours) -> None:
            world.begin(providers=("gmail", "yahoo"))
            world.rounds(well, hours=hours)

        (tmp_path / str(hours)).mkdir()
        world = build(some, tmp_path / str(hours))
        count = Counter[str]()
        event.listen(
            world.engine, "before_cursor_execute", lambda *_, count=count: count.update(["all"])
        )
        with Session(world.engine) as session:
            clusters(session, since=NOW - 99 * HOUR, until=NOW)
            newest_tests(session, limit=8)
            seed_health(session, since=NOW - 99 * HOUR)
        asked.append(count["all"])
    assert asked[0] == asked[1]


def test_open_incidents_are_found_however_old_they_are(tmp_path: Path) -> None:
    def old(world: World) -> None:
        world.begin(providers=("gmail",))
        world.tell(*provider_incident([]), *sender_incident([]))

    world = build(old, tmp_path)
    with Session(world.engine) as session:
        found = relevant(session, since=NOW + timedelta(days=400))
    assert len(found) == 2


def test_a_seed_that_was_never_looked_at_is_neither_well_nor_failing(tmp_path: Path) -> None:
    world = build(lambda w: w.begin(providers=("gmail",), each=1), tmp_path)
    with Session(world.engine) as session:
        (seed,) = seed_health(session, since=NOW - HOUR)
    assert seed.looked_at is None
    assert not seed.is_failing


def test_a_seed_that_fails_since_its_last_good_look_counts_its_failures(tmp_path: Path) -> None:
    ladder = [Placement.INBOX, Placement.UNKNOWN, Placement.UNKNOWN]

    def failing(world: World) -> None:
        world.begin(providers=("gmail",), each=1)
        world.send("contoso", NOW - 5 * HOUR, lambda *_: ladder)

    world = build(failing, tmp_path)
    with Session(world.engine) as session:
        (seed,) = seed_health(session, since=NOW - 9 * HOUR)
    assert seed.failures == 2
    assert seed.known_at == NOW - 5 * HOUR + timedelta(minutes=5)
    assert seed.reason == "sign-in refused"
