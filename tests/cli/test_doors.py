"""The command line as a newcomer meets it."""

import json
import stat
from pathlib import Path

import pytest

from tests.cli.typed import EML, SEEDS, run

COMMANDS = (
    "demo",
    "init",
    "serve",
    "worker",
    "doctor",
    "test send",
    "test show",
    "test list",
    "seeds import",
    "seeds check",
    "seeds health",
    "seeds authorize",
    "seeds export",
    "seeds reseal",
    "exposure",
    "keys create",
    "keys list",
    "keys revoke",
    "domains list",
    "domains check",
    "routes list",
    "routes show",
    "routes add",
    "routes set",
    "routes test",
    "routes confirm",
    "routes resume",
    "routes remove",
    "routes log",
    "routes replay",
    "routes rotate",
    "schedules list",
    "schedules stop",
    "jobs list",
    "jobs revive",
    "db upgrade",
    "db backup",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    shown = run(*command.split(), "--help")
    assert shown.exit_code == 0
    assert len(shown.output.splitlines()) > 4


def test_init_writes_a_configuration_that_only_its_owner_can_read(config: str) -> None:
    assert stat.S_IMODE(Path(config).stat().st_mode) == 0o600


def test_init_never_overwrites(config: str) -> None:
    before = Path(config).read_bytes()
    again = run("init", "--dir", str(Path(config).parent))
    assert again.exit_code == 2
    assert Path(config).read_bytes() == before


def test_a_configuration_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    shown = run("test", "list", "--config", str(tmp_path / "no.toml"))
    assert shown.exit_code == 2
    assert "no.toml" in shown.output


def test_seeds_come_back_without_their_passwords(seeded: str) -> None:
    shown = run("seeds", "export", "--config", seeded)
    assert "seed1@mail.example,gmail" in shown.output
    assert "hunter2" not in shown.output


def test_passwords_are_not_readable_in_the_database(seeded: str) -> None:
    files = Path(seeded).parent.glob("*.db*")
    assert not any(b"hunter2" in path.read_bytes() for path in files)


def test_a_seed_list_with_a_bad_line_is_not_imported_at_all(config: str, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_bytes(SEEDS + b"not-an-address,gmail,x\n")
    shown = run("seeds", "import", str(tmp_path / "bad.csv"), "--config", config)
    assert shown.exit_code == 2
    assert "line 4" in shown.output
    assert run("seeds", "export", "--config", config).exit_code == 1


def test_a_test_is_written_down_and_due(seeded: str, tmp_path: Path) -> None:
    (tmp_path / "march.eml").write_bytes(EML)
    shown = run("test", "send", str(tmp_path / "march.eml"), "--config", seeded, "--json")
    assert shown.exit_code == 0
    uid = json.loads(shown.output)["test"]
    listed = json.loads(run("test", "list", "--config", seeded, "--json").output)
    assert [(t["test"], t["copies"], t["decided"]) for t in listed] == [(uid, 2, 0)]
    assert "no data yet" in run("test", "show", uid, "--config", seeded).output


def test_a_schedule_is_understood_or_refused(seeded: str, tmp_path: Path) -> None:
    (tmp_path / "march.eml").write_bytes(EML)
    send = ("test", "send", str(tmp_path / "march.eml"), "--config", seeded)
    good = run(*send, "--every", "daily 09:00")
    assert good.exit_code == 0
    assert "09:00 UTC" in good.output
    bad = run(*send, "--every", "when it rains")
    assert bad.exit_code == 2
    assert "daily 09:00" in bad.output


def test_an_unknown_test_is_not_found(seeded: str) -> None:
    shown = run("test", "show", "0123456789abcdef", "--config", seeded)
    assert shown.exit_code == 1
    assert "seedwatch test list" in shown.output


def test_seeds_that_cannot_be_reached_are_named_with_their_trouble(
    config: str, tmp_path: Path
) -> None:
    (tmp_path / "seeds.csv").write_bytes(
        b"address,provider,host,port,security,password\n"
        b"seed1@mail.example,corporate,127.0.0.1,1,plain,x\n"
    )
    run("seeds", "import", str(tmp_path / "seeds.csv"), "--config", config)
    shown = run("seeds", "check", "--config", config)
    assert shown.exit_code == 1
    assert "seed1@mail.example" in shown.output
    assert "FAILS" in shown.output
