"""What is kept of how reading a seed goes."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from monitor.core.errors import MailboxLockedError, SeedwatchError
from monitor.core.ports import PartlyReadError
from monitor.store import seed_health
from monitor.store.columns import saved
from monitor.store.engine import open_engine, upgrade
from monitor.store.seed_health import Attempt
from monitor.store.tables import OrganisationRow, SeedHealthRow, SeedRow
from tests.work.conftest import postgresql, postgresql_engine

__all__ = ["postgresql", "postgresql_engine"]  # fixtures

START = datetime(2026, 3, 1, tzinfo=UTC)
NUMBERS = count(1)
LOCKED = MailboxLockedError("sign-in refused.", remedy="Make a new app password.")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One database for all: each test has a seed of its own."""
    engine = open_engine(f"sqlite:///{tmp_path_factory.mktemp('health') / 'seedwatch.db'}")
    upgrade(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def session(shared: Engine) -> Iterator[Session]:
    with Session(shared) as opened:
        yield opened


def seed(session: Session) -> int:
    owner = OrganisationRow(name=f"Acme {next(NUMBERS)}")
    session.add(owner)
    session.flush()
    made = SeedRow(
        organisation_id=saved(owner.id), address="a@mail.example", provider="gmx", username="a"
    )
    session.add(made)
    session.commit()
    return saved(made.id)


def story(session: Session, *looks: tuple[int, SeedwatchError | None]) -> SeedHealthRow:
    """Write looks, each at a minute and with its trouble; return what is known at the end."""
    one = seed(session)
    for minute, error in looks:
        moment = START + timedelta(minutes=minute)
        seed_health.record(session, Attempt(one, moment, 0.5, error))
    (row,) = seed_health.of_seeds(session, [one])
    return row


def tell_the_story(session: Session) -> None:
    row = story(session, (0, None), (5, LOCKED), (15, LOCKED))
    assert (row.failures, row.failing_since) == (2, START + timedelta(minutes=5))
    assert (row.read_at, row.tried_at) == (START, START + timedelta(minutes=15))
    assert (row.problem, row.remedy) == ("sign-in refused.", "Make a new app password.")
    assert (row.latency_s, row.recovered_at) == (0.5, None)


def test_a_row_of_failures_is_counted_from_its_first(session: Session) -> None:
    tell_the_story(session)


@pytest.mark.real
def test_a_row_of_failures_is_counted_on_postgresql_too(postgresql_engine: Engine) -> None:
    with Session(postgresql_engine) as session:
        tell_the_story(session)


def test_a_recovery_is_noticed_and_remembered(session: Session) -> None:
    row = story(session, (0, LOCKED), (5, LOCKED), (15, None), (30, None))
    assert (row.failures, row.failing_since, row.problem) == (0, None, "")
    assert row.recovered_at == START + timedelta(minutes=15)


def test_a_seed_that_never_failed_never_recovered(session: Session) -> None:
    assert story(session, (0, None), (5, None)).recovered_at is None


def test_the_same_look_told_twice_counts_once(session: Session) -> None:
    assert story(session, (0, LOCKED), (0, LOCKED)).failures == 1


def test_a_slow_look_that_ends_after_the_next_one_is_no_news(session: Session) -> None:
    row = story(session, (5, None), (0, LOCKED))
    assert (row.failures, row.tried_at) == (0, START + timedelta(minutes=5))


def test_a_mailbox_that_answers_while_its_tenant_does_not_is_read_with_a_problem(
    session: Session,
) -> None:
    row = story(session, (0, PartlyReadError("the tenant is silent", partial=[])))
    assert (row.failures, row.read_at, row.problem) == (0, START, "the tenant is silent")


def test_words_are_bounded_and_printable(session: Session) -> None:
    row = story(session, (0, MailboxLockedError("a\x1b[31m" + "b" * 900)))
    assert len(row.problem) == 500
    assert row.problem.startswith("a [31m")
