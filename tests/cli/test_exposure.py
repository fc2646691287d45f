"""`seedwatch exposure`: how much of a list is where, and what is wrong there."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlmodel import Session, select

from monitor.core.clock import ManualClock
from monitor.core.incidents import Cause
from monitor.lab.lab import Lab
from monitor.lab.scenario import Scenario
from monitor.store import incidents
from monitor.store.route_tables import AudienceRow
from tests.cli.typed import refused, run, setting
from tests.core.test_advice import EVENT


@pytest.fixture(scope="module")
def dns() -> Iterator[Lab]:
    clock = ManualClock(datetime(2026, 3, 2, 8, 0, tzinfo=UTC))
    with Lab(Scenario.bundled("quiet"), clock=clock, seed=1) as running:
        yield running


@pytest.fixture
def asking(seeded: str, dns: Lab) -> str:
    """An installation that asks the lab's DNS."""
    setting(seeded, "dns", f'servers = ["{dns.dns[0]}:{dns.dns[1]}"]')
    return seeded


@pytest.fixture
def recipients(tmp_path: Path, dns: Lab) -> str:
    """Three of ten recipients are at Microsoft 365."""
    domain = dns.providers["microsoft365"].domain
    people = [f"p{n}@{domain if n < 3 else 'brand.example'}" for n in range(10)]
    (tmp_path / "list.csv").write_text("\n".join(["email", *people, "nobody"]), "utf-8")
    return str(tmp_path / "list.csv")


def test_a_list_is_counted_by_provider_kept_and_crossed_with_incidents(
    asking: str, recipients: str, tmp_path: Path, session: Session
) -> None:
    incidents.append(session, EVENT)  # of a link that no mail of ours carries
    incidents.append(session, replace(EVENT, incident="whole", cause=Cause.PROVIDER, feature=None))
    session.commit()
    shown = run("exposure", recipients, "--config", asking)
    assert "Microsoft 365    3           30 %" in shown.output
    assert "1 line names no recipient, the first: 12." in shown.output
    assert "30 % of this list (3 of 10) is at Microsoft 365, which is degraded" in shown.output
    assert "lnk.example" not in shown.output
    rows = session.exec(select(AudienceRow)).all()
    assert {(row.provider, row.recipients, row.total) for row in rows} == {
        ("microsoft365", 3, 10),
        ("other", 7, 10),
    }
    assert b"p0@" not in b"".join(path.read_bytes() for path in tmp_path.glob("seedwatch.db*"))

    told = json.loads(run("exposure", "--config", asking, "--json").stdout)
    assert (told["total"], told["unknown"], len(told["now"])) == (10, 0, 1)
    assert told["providers"][0] == {
        "provider": "microsoft365",
        "recipients": 3,
        "share": 0.3,
        "share_at_most": 0.3,
    }


def test_counting_again_takes_the_place_of_what_was_known(
    asking: str, recipients: str, tmp_path: Path, session: Session
) -> None:
    run("exposure", recipients, "--config", asking)
    (tmp_path / "list.csv").write_text("brand.example,7\n", "utf-8")
    assert run("exposure", recipients, "--config", asking).exit_code == 0
    rows = session.exec(select(AudienceRow)).all()
    assert [(row.provider, row.recipients) for row in rows] == [("other", 7)]


def test_without_an_answer_nobodys_share_is_said(seeded: str, recipients: str) -> None:
    setting(seeded, "dns", 'servers = ["127.0.0.1:9"]')
    setting(seeded, "dns", "timeout_s = 0.2")
    shown = run("exposure", recipients, "--config", seeded)
    assert "unknown: no answer  10          100 %" in shown.output
    assert "Microsoft" not in shown.output


def test_what_cannot_be_counted_is_refused(seeded: str, tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_bytes(b"\x00\x01\x02")
    odd = str(tmp_path / "odd.csv")
    assert refused(run("exposure", odd, "--config", seeded), "is not a text file")
    assert refused(run("exposure", "--config", seeded), "FILE", "is missing")
    shown = run("exposure", odd, "--sender", "brand.example", "--config", seeded)
    assert refused(shown, "no sender 'brand.example'", status=1)
