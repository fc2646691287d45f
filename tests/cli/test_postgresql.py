"""The door on PostgreSQL, which takes neither longer texts than its columns nor NUL."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.cli.typed import EML, listed, run, setting
from tests.work.conftest import postgresql, postgresql_engine

__all__ = ["postgresql", "postgresql_engine"]  # fixtures

pytestmark = pytest.mark.real

LONGEST = (b"From: %s <hello@news.example.org>\r\nSubject: %s\r\n\r\na\0b\r\n") % (
    b"n" * 200,
    b"s " * 450,
)


def test_all_that_the_door_lets_through_fits(
    config: str, tmp_path: Path, postgresql_engine: Engine
) -> None:
    url = postgresql_engine.url.render_as_string(hide_password=False)
    setting(config, "database", f'url = "{url}"')
    (tmp_path / "s.csv").write_bytes(b"address,provider\na@mail.example,gmail\n")
    name = ("--list", "l" * 100, "--config", config)
    assert run("seeds", "import", str(tmp_path / "s.csv"), *name).exit_code == 0
    for stem, raw in (("m" * 120, EML), ("n" * 240, LONGEST)):
        message = tmp_path / f"{stem}.eml"
        message.write_bytes(raw)
        send = ("test", "send", str(message), *name)
        now = run(*send, "--key", stem[0] * 200, "--esp", "e" * 100)
        assert now.exit_code == 0, now.output
        assert run(*send, "--every", "every 2h").exit_code == 0
    assert len(listed(config, "test", "list")) == 2
    assert len(listed(config, "schedules", "list")) == 2
    for command in (
        "jobs list",
        "jobs revive --all",
        "seeds reseal",
        "seeds export --list " + "l" * 100,
    ):
        assert run(*command.split(), "--config", config).exit_code == 0
    assert run("db", "backup", str(tmp_path / "b.db"), "--config", config).exit_code == 2
