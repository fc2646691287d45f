"""What is kept of trouble of this installation."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from monitor.core.routes import Severity
from monitor.store.troubles import close_trouble, closed_since, open_trouble, open_troubles
from tests.work.conftest import postgresql, postgresql_engine

__all__ = ["postgresql", "postgresql_engine"]  # fixtures

START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def opened(session: Session, sentence: str, at: datetime, key: str = "queue") -> None:
    open_trouble(session, key, sentence, "Start a worker.", Severity.CRITICAL, at)


def test_trouble_is_opened_once_and_says_how_it_is_now(session: Session) -> None:
    opened(session, "3 jobs wait.", START)
    opened(session, "8 jobs wait.", START + HOUR)
    [row] = open_troubles(session)
    assert (row.opened_at, row.seen_at, row.sentence) == (START, START + HOUR, "8 jobs wait.")


def test_trouble_that_is_over_is_open_no_more_and_may_come_again(session: Session) -> None:
    opened(session, "3 jobs wait.", START)
    close_trouble(session, "queue", START + HOUR)
    close_trouble(session, "queue", START + 2 * HOUR)
    assert not open_troubles(session)
    [over] = closed_since(session, START + HOUR)
    opened(session, "5 jobs wait.", START + 3 * HOUR)
    [again] = open_troubles(session)
    assert over.closed_at == START + HOUR
    assert again.id != over.id


def test_what_another_side_said_is_kept_printable_and_short(session: Session) -> None:
    opened(session, "it said:\r\nBcc: x\x00 " + "y" * 5000, START, key="k" * 500)
    opened(session, "it said nothing.", START, key="k" * 500)
    [row] = open_troubles(session)
    assert row.sentence == "it said nothing."
    opened(session, "it said:\r\nBcc: x\x00 " + "y" * 5000, START, key="k" * 500)
    session.refresh(row)
    assert row.sentence.isprintable()
    assert len(row.sentence) == 1000


@pytest.mark.real
def test_trouble_is_opened_once_on_postgresql_too(postgresql_engine: Engine) -> None:
    with Session(postgresql_engine) as session:
        opened(session, "3 jobs wait.", START)
        opened(session, "8 jobs wait.", START + HOUR)
        close_trouble(session, "disk", START + HOUR)
        assert [row.sentence for row in open_troubles(session)] == ["8 jobs wait."]
