"""Entering an advisory by hand, and reading what is known."""

import json
from pathlib import Path

from click.testing import CliRunner

from monitor.cli import main


def test_an_advisory_is_entered_listed_and_shown(tmp_path: Path) -> None:
    runner = CliRunner()

    def seedwatch(*args: str) -> str:
        done = runner.invoke(main, args, env={"SEEDWATCH_CONFIG": str(tmp_path / "config.toml")})
        assert done.exit_code == 0, done.output
        return done.output

    runner.invoke(main, ["init", "--dir", str(tmp_path)])
    seedwatch("advisories", "add", "MO255463", "--title", "Mail is quarantined")

    (listed,) = json.loads(seedwatch("advisories", "list", "--json"))
    assert (listed["id"], listed["provider"], listed["kinds"]) == (
        "MO255463",
        "microsoft365",
        ["quarantine"],
    )
    assert "MO255463  microsoft365" in seedwatch("advisories", "list")
    assert "MO255463: Mail is quarantined" in seedwatch("advisories", "show", "MO255463")
