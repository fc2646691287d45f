"""Messages that were reported by web hook, as rows."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from monitor.store import inbound
from monitor.store.inbound import SHOWN_BYTES
from tests.work.conftest import postgresql, postgresql_engine

__all__ = ["postgresql", "postgresql_engine"]  # fixtures

START = datetime(2026, 3, 1, tzinfo=UTC)
ANNA = "anna@brand.example"
RAW = b"Subject: \xff\0\r\n\r\n" + b"x" * SHOWN_BYTES


def tell_the_story(session: Session) -> None:
    """Report, report again elsewhere, look, and forget."""
    later = START + timedelta(days=40)
    assert inbound.keep(session, ANNA, "", RAW, now=START)
    assert not inbound.keep(session, ANNA, "Junk", RAW, now=later)
    assert inbound.keep(session, ANNA, "", b"another", now=later)
    session.commit()
    newest, oldest = inbound.beginnings(session, ANNA, since=None)
    assert (newest.raw, newest.received_at) == (b"another", later)
    assert (oldest.raw, oldest.folder, oldest.received_at) == (RAW[:SHOWN_BYTES], "Junk", START)
    assert inbound.raw_of(session, oldest.id) == RAW
    assert [one.id for one in inbound.beginnings(session, ANNA, since=later)] == [newest.id]
    assert inbound.beginnings(session, "bert@brand.example", since=None) == []
    assert inbound.last_heard(session, ANNA) == later
    assert inbound.last_heard(session, "bert@brand.example") is None
    assert inbound.forget_old(session, before=later, limit=10) == 1
    assert inbound.raw_of(session, oldest.id) is None


def test_what_was_reported_is_kept_told_and_forgotten(session: Session) -> None:
    tell_the_story(session)


@pytest.mark.real
def test_postgresql_keeps_it_too(postgresql_engine: Engine) -> None:
    with Session(postgresql_engine) as session:
        tell_the_story(session)
