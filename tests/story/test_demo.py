"""MO255463, start to end, through real sockets: the demo itself."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROVIDERS = {
    "gmail",
    "google_workspace",
    "outlook",
    "microsoft365",
    "yahoo",
    "icloud",
    "gmx",
    "corporate",
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict:  # type: ignore[type-arg]
    """What `seedwatch demo --once --json` prints, run in a directory of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "monitor", "demo", "--once", "--json"],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        cwd=tmp_path_factory.mktemp("elsewhere"),
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": ""},
    )
    assert done.returncode == 0, done.stderr[-4000:]
    document: dict = json.loads(done.stdout)  # type: ignore[type-arg]
    return document


@pytest.mark.timeout(290)
def test_the_story_comes_out_right(told: dict) -> None:  # type: ignore[type-arg]
    assert told["story_ok"] is True
    assert [one["says"] for one in told["checks"] if not one["holds"]] == []


def test_every_provider_is_counted_first_and_now(told: dict) -> None:  # type: ignore[type-arg]
    assert set(told["providers"]) == PROVIDERS
    for placed in told["providers"].values():
        assert placed["n"] > 0
        assert sum(placed["first"].values()) == pytest.approx(1, abs=0.001)
        assert sum(placed["current"].values()) == pytest.approx(1, abs=0.001)


def test_the_trouble_shows_where_it_was_and_nowhere_else(told: dict) -> None:  # type: ignore[type-arg]
    current = {name: placed["current"] for name, placed in told["providers"].items()}
    assert current["microsoft365"]["quarantine_pct"] > 0.1
    assert current["microsoft365"]["removed_pct"] > 0
    assert all(
        shares["quarantine_pct"] == shares["removed_pct"] == 0
        for name, shares in current.items()
        if name != "microsoft365"
    )


def test_one_incident_blames_the_provider_and_one_the_sender(told: dict) -> None:  # type: ignore[type-arg]
    blamed = {(i["cause"], i["provider"], i["feature"], i["sender"]) for i in told["incidents"]}
    assert blamed == {
        ("provider_feature", "microsoft365", "url:lnk.example.net", None),
        ("sender", None, None, "northwind.example.org"),
    }


def test_each_incident_says_how_sure_it_is(told: dict) -> None:  # type: ignore[type-arg]
    assert all(0.5 < incident["posterior"] <= 1 for incident in told["incidents"])


def test_every_alert_was_found_in_its_recipients_mailbox(told: dict) -> None:  # type: ignore[type-arg]
    # Who was hit early may be told once more, when twice as many are.
    assert len({(one["to"], one["incident"], one["state"]) for one in told["alerts"]}) == 13
    assert all(alert["read_back"] for alert in told["alerts"])
