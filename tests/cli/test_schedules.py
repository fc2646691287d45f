"""`seedwatch schedules`: what comes back, and how it ends."""

from pathlib import Path

import pytest
from sqlmodel import Session, select

from monitor.core.clock import SystemClock
from monitor.store.schedules import Plan, put_schedule
from monitor.store.tables import OrganisationRow
from tests.cli.typed import listed, refused, run

NAME = "march from hello@news.example.org"


@pytest.fixture
def scheduled(seeded: str, letter: str) -> str:
    """An installation with one schedule."""
    shown = run("test", "send", letter, "--every", "daily 09:00", "--config", seeded)
    assert f"seedwatch schedules stop '{NAME}'" in shown.output
    return seeded


def test_a_schedule_is_listed_with_its_next_time(scheduled: str) -> None:
    (told,) = listed(scheduled, "schedules", "list")
    assert (told["name"], told["spec"], told["enabled"]) == (NAME, "daily 09:00", True)
    assert "09:00" in told["next_at"]
    assert NAME in run("schedules", "list", "--config", scheduled).output


def test_a_schedule_that_is_stopped_has_no_next_time(scheduled: str) -> None:
    for _ in range(2):
        assert run("schedules", "stop", NAME, "--config", scheduled).exit_code == 0
    (told,) = listed(scheduled, "schedules", "list")
    assert (told["enabled"], told["next_at"]) == (False, None)


def test_a_schedule_that_is_not_there_is_not_stopped(scheduled: str) -> None:
    shown = run("schedules", "stop", "april", "--config", scheduled)
    assert refused(shown, "no schedule 'april'", "seedwatch schedules list", status=1)


@pytest.mark.parametrize(
    ("name", "plan"),
    [
        ("forget old headers", Plan("forget", "daily 03:30")),
        ("heartbeat", Plan("start", "every 2h")),
    ],
)
def test_what_would_come_back_by_itself_is_not_stopped(
    scheduled: str, session: Session, name: str, plan: Plan
) -> None:
    owner = session.exec(select(OrganisationRow.id)).one()
    assert owner is not None
    put_schedule(session, owner, name, plan, now=SystemClock().now())
    session.commit()
    shown = run("schedules", "stop", name, "--config", scheduled)
    assert refused(shown, name, "would come back", "[heartbeat]")
    assert all(one["enabled"] for one in listed(scheduled, "schedules", "list"))


def test_without_a_schedule_the_list_is_empty(config: str, tmp_path: Path) -> None:
    assert listed(config, "schedules", "list") == []
