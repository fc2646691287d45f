"""Mistakes that people make with files, paths and servers end with a sentence."""

import socket
import sqlite3
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, text

from monitor.cli.context import Door
from monitor.settings.files import DEMO_DATABASE
from tests.cli.typed import refused, run, setting

NEED_A_DATABASE = (
    ("db", "backup", "copy.db"),
    ("test", "list"),
    ("test", "show", "0123456789abcdef"),
    ("seeds", "export"),
    ("seeds", "check"),
    ("seeds", "reseal"),
    ("schedules", "list"),
    ("schedules", "stop", "x"),
    ("jobs", "list"),
    ("jobs", "revive", "--all"),
)


@pytest.mark.parametrize("command", NEED_A_DATABASE, ids=" ".join)
def test_a_wrong_path_does_not_make_an_empty_database(
    config: str, tmp_path: Path, command: tuple[str, ...]
) -> None:
    setting(config, "database", 'url = "sqlite:///wrong.db"')
    shown = run(*command, "--config", config)
    assert refused(shown, "database.url", "does not exist", "seedwatch db upgrade")
    assert not (tmp_path / "wrong.db").exists()


def test_an_upgrade_begins_a_database_where_there_is_none(config: str, tmp_path: Path) -> None:
    setting(config, "database", 'url = "sqlite:///other.db"')
    assert run("db", "upgrade", "--config", config).exit_code == 0
    assert run("test", "list", "--config", config).exit_code == 0


@pytest.mark.parametrize("command", [("db", "upgrade"), ("db", "backup"), ("test", "list")])
def test_a_file_that_is_no_database_is_said_to_be_none(
    config: str, tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "letter.txt").write_text("Dear customer, " * 100)
    setting(config, "database", 'url = "sqlite:///letter.txt"')
    file = (str(tmp_path / "copy.db"),) if "backup" in command else ()
    shown = run(*command, *file, "--config", config)
    assert refused(shown, "database.url", "file is not a database")
    assert not (tmp_path / "copy.db").exists()


@pytest.mark.parametrize("command", [("db", "upgrade"), ("test", "list")])
def test_a_database_server_that_is_down_is_named_without_its_password(
    config: str, command: tuple[str, ...]
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # bound, but nobody listens
        port = silent.getsockname()[1]
        place = f"postgresql+psycopg://u:hunter2@127.0.0.1:{port}/x?password=hunter3"
        setting(config, "database", f'url = "{place}"')
        shown = run(*command, "--config", config)
    assert refused(shown, "database.url", f"127.0.0.1:{port}", "its server runs")
    assert "hunter" not in shown.output


def test_a_backup_can_be_read_by_its_owner_only(seeded: str, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    assert run("db", "backup", str(copy), "--config", seeded).exit_code == 0
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    with sqlite3.connect(copy) as connection:
        assert connection.execute("SELECT count(*) FROM seed").fetchone() == (2,)
    connection.close()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("db", "backup", "/proc/b.db"), ("backup", "/proc/b.db", "cannot be written")),
        (("db", "backup", "/nowhere/b.db"), ("backup", "directory that does not exist")),
        (("init", "--dir", "/proc/x"), ("config", "/proc/x", "cannot be written", "--dir")),
        (("demo", "--once", "--keep", "/proc/zz"), ("--keep", "/proc/zz", "cannot be used")),
    ],
)
def test_a_place_where_nothing_can_be_written_is_refused(
    config: str, command: tuple[str, ...], words: tuple[str, ...]
) -> None:
    options = () if command[0] in {"init", "demo"} else ("--config", config)
    assert refused(run(*command, *options), *words)


def test_a_demo_is_not_played_over_an_earlier_one(tmp_path: Path) -> None:
    (tmp_path / DEMO_DATABASE).touch()
    shown = run("demo", "--once", "--keep", str(tmp_path))
    assert refused(shown, "--keep", "earlier demo", "Name another directory")


@pytest.mark.parametrize("rows", [b"", b"address,provider\n", b"\n\n"])
def test_a_seed_list_of_no_rows_is_refused_with_the_reason(
    config: str, tmp_path: Path, rows: bytes
) -> None:
    (tmp_path / "none.csv").write_bytes(rows)
    shown = run("seeds", "import", str(tmp_path / "none.csv"), "--config", config)
    assert refused(shown, "was not imported", "Mend this")
    assert "one seed a line" in shown.output


def test_of_a_seed_list_without_end_only_the_beginning_is_read(config: str) -> None:
    shown = run("seeds", "import", "/dev/zero", "--config", config)
    assert refused(shown, "/dev/zero", "was not imported")
    assert "Split it" in shown.output


def test_a_list_name_that_is_too_long_is_refused(config: str, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_bytes(b"address,provider\na@mail.example,gmail\n")
    shown = run(
        *("seeds", "import", str(tmp_path / "s.csv"), "--config", config, "--list", "l" * 101)
    )
    assert refused(shown, "--list", "is too long")


@pytest.mark.parametrize("uid", ["\udcff", "u" * 33])
def test_what_can_name_no_test_is_refused(config: str, uid: str) -> None:
    assert refused(run("test", "show", uid, "--config", config), "uid")


@pytest.fixture
def door() -> Door:
    """A door with commands that go wrong in ways of which nobody thought."""
    group = Door()

    @group.command("disk")
    def disk() -> None:
        raise OSError(28, "No space left on device", "/var/x")

    @group.command("rows")
    def rows() -> None:
        engine = create_engine("sqlite://", hide_parameters=False)
        with engine.connect() as connection:
            connection.execute(text("CREATE TABLE t (secret TEXT UNIQUE)"))
            twice = [{"s": "hunter2"}, {"s": "hunter2"}]
            connection.execute(text("INSERT INTO t VALUES (:s)"), twice)

    @group.command("reader")
    def reader() -> None:
        raise BrokenPipeError

    del disk, rows, reader
    return group


@pytest.mark.parametrize(
    ("command", "words"),
    [("disk", "/var/x: No space left"), ("rows", "the database failed: IntegrityError")],
)
def test_what_nobody_thought_of_ends_with_a_sentence_and_no_secret(
    door: Door, command: str, words: str
) -> None:
    shown = CliRunner().invoke(door, [command], catch_exceptions=False)
    assert refused(shown, words, "seedwatch doctor", status=1)
    assert "hunter2" not in shown.output


def test_that_nobody_reads_on_is_no_trouble_to_tell_of(door: Door) -> None:
    with pytest.raises(BrokenPipeError):
        door.main(["reader"], standalone_mode=False)
