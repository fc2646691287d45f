"""`seedwatch test show`: beside each share, how many copies it rests on and how sure it is."""

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, select

from monitor.core.clock import SystemClock
from monitor.core.intervals import wilson
from monitor.core.placements import Placement
from monitor.judge.rates import effective
from monitor.store.columns import saved
from monitor.store.placed import placed
from monitor.store.tables import CopyRow, SightingRow
from tests.cli.typed import listed, run

SEEDS = b"address,provider\n" + b"".join(b"seed%d@mail.example,gmail\n" % n for n in range(6))


@pytest.fixture
def installed(config: str, tmp_path: Path) -> str:
    """An installation with six seeds at one provider."""
    (tmp_path / "six.csv").write_bytes(SEEDS)
    assert run("seeds", "import", str(tmp_path / "six.csv"), "--config", config).exit_code == 0
    return config


def send(config: str, letter: str) -> str:
    shown = run("test", "send", letter, "--config", config, "--json")
    return str(json.loads(shown.stdout)["test"])


def see(session: Session, placements: Sequence[Placement]) -> None:
    """Look once at each copy that nobody has looked at."""
    looked = select(SightingRow.copy_id)
    copies = session.exec(select(CopyRow.id).where(CopyRow.id.not_in(looked))).all()  # type: ignore[union-attr]
    for copy, placement in zip(copies, placements, strict=True):
        session.add(
            SightingRow(copy_id=saved(copy), looked_at=SystemClock().now(), placement=placement)
        )
    session.commit()


def of_gmail(config: str, uid: str) -> dict[str, Any]:
    shown: dict[str, Any] = listed(config, "test", "show", uid)["providers"]["gmail"]
    return shown


def test_a_share_comes_with_its_count_and_interval(
    installed: str, letter: str, session: Session
) -> None:
    uid = send(installed, letter)
    see(
        session,
        [Placement.INBOX] * 2 + [Placement.TAB] + [Placement.SPAM] + [Placement.PENDING] * 2,
    )
    one, n_eff = of_gmail(installed, uid), effective(4)
    low, high = wilson(0.75 * n_eff, n_eff)
    assert (one["n"], one["n_eff"]) == (4, pytest.approx(n_eff, abs=1e-4))
    assert (one["ci_low"], one["ci_high"]) == pytest.approx((low, high), abs=1e-4)
    shown = run("test", "show", uid, "--config", installed).output
    assert f"likely {low:.0%} to {high:.0%} (95 %)" in shown
    assert f"{n_eff:.1f}" in shown


def test_without_a_decided_copy_nothing_is_said_to_be_likely(installed: str, letter: str) -> None:
    uid = send(installed, letter)
    one = of_gmail(installed, uid)
    assert [one[key] for key in ("n", "n_eff", "ci_low", "ci_high")] == [0, None, None, None]
    assert "likely" not in run("test", "show", uid, "--config", installed).output


def test_two_tests_are_worth_more_than_as_many_copies_of_one(
    installed: str, letter: str, session: Session
) -> None:
    for _ in range(2):
        send(installed, letter)
        see(session, [Placement.INBOX] * 6)
    now = SystemClock().now()
    both = placed(session, since=now - timedelta(hours=1), until=now)["gmail"]
    assert both.n == 12
    assert both.n_eff == pytest.approx(2 * effective(6))
    assert both.ci_high == pytest.approx(1)
