"""What is typed at the door in these tests, and what comes back."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from monitor.cli import main

EML = (
    b"From: News <hello@news.example.org>\r\nSubject: March\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n\r\nRead https://news.example.org/march\r\n"
)
SEEDS = (
    b"address,provider,password\nseed1@mail.example,gmail,hunter2\nseed2@mail.example,gmx,hunter2\n"
)


def run(*args: str) -> Result:
    """Type a command; an exception that the door lets through fails the test."""
    return CliRunner().invoke(main, list(args), catch_exceptions=False)


def refused(shown: Result, *words: str, status: int = 2) -> bool:
    """Did the command end with one sentence, in which all these words stand?"""
    assert shown.exit_code == status, shown.output
    said = [line for line in shown.output.splitlines() if line.startswith("seedwatch: ")]
    assert len(said) == 1
    assert [word for word in words if word not in said[0]] == []
    return True


def listed(config: str, *command: str) -> Any:
    """What a command prints with --json."""
    return json.loads(run(*command, "--config", config, "--json").stdout)


def setting(config: str, section: str, line: str) -> None:
    """Write *line* into *section*, in place of the one that has this key."""
    path, key = Path(config), line.partition(" =")[0]
    before, mark, rest = path.read_text("utf-8").partition(f"[{section}]\n")
    mine, end, after = rest.partition("\n[")
    kept = [old for old in mine.split("\n") if not old.startswith(f"{key} = ")]
    path.write_text(before + mark + "\n".join([line, *kept]) + end + after, "utf-8")
