"""The command line as a newcomer meets it."""

import json
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from monitor.cli import main

EML = (
    b"From: News <hello@news.example.org>\r\nSubject: March\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n\r\nRead https://news.example.org/march\r\n"
)
SEEDS = (
    b"address,provider,password\nseed1@mail.example,gmail,hunter2\nseed2@mail.example,gmx,hunter2\n"
)
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
    "seeds export",
    "db upgrade",
    "db backup",
)


def run(*args: str) -> Result:
    return CliRunner().invoke(main, list(args), catch_exceptions=False)


@pytest.fixture
def config(tmp_path: Path) -> str:
    """A fresh installation."""
    assert run("init", "--dir", str(tmp_path)).exit_code == 0
    return str(tmp_path / "config.toml")


@pytest.fixture
def seeded(config: str, tmp_path: Path) -> str:
    """A fresh installation with two seeds."""
    (tmp_path / "seeds.csv").write_bytes(SEEDS)
    assert run("seeds", "import", str(tmp_path / "seeds.csv"), "--config", config).exit_code == 0
    return config


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


def test_the_same_key_makes_one_test(seeded: str, tmp_path: Path) -> None:
    (tmp_path / "march.eml").write_bytes(EML)
    for _ in range(2):
        args = ("test", "send", str(tmp_path / "march.eml"), "--key", "k", "--config", seeded)
        assert run(*args).exit_code == 0
    assert len(json.loads(run("test", "list", "--config", seeded, "--json").output)) == 1


def test_a_schedule_is_understood_or_refused(seeded: str, tmp_path: Path) -> None:
    (tmp_path / "march.eml").write_bytes(EML)
    send = ("test", "send", str(tmp_path / "march.eml"), "--config", seeded)
    good = run(*send, "--every", "daily 09:00")
    assert good.exit_code == 0
    assert "09:00 UTC" in good.output
    bad = run(*send, "--every", "when it rains")
    assert bad.exit_code == 2
    assert "daily 09:00" in bad.output


def test_a_message_without_a_from_address_is_refused(seeded: str, tmp_path: Path) -> None:
    (tmp_path / "odd.eml").write_bytes(b"Subject: x\r\n\r\ntext\r\n")
    shown = run("test", "send", str(tmp_path / "odd.eml"), "--config", seeded)
    assert shown.exit_code == 2
    assert "From" in shown.output


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


def test_doctor_finds_a_fresh_installation_in_need_of_seeds(config: str) -> None:
    shown = run("doctor", "--config", config, "--json")
    assert shown.exit_code == 1
    findings = {one["about"]: one for one in json.loads(shown.output)}
    assert findings["database"]["ok"]
    assert not findings["seeds"]["ok"]
    assert "seeds import" in findings["seeds"]["remedy"]


def test_doctor_finds_a_configuration_that_others_can_read(config: str) -> None:
    Path(config).chmod(0o644)
    shown = run("doctor", "--config", config)
    assert "chmod 600" in shown.output


def test_doctor_finds_passwords_that_this_key_does_not_open(seeded: str, tmp_path: Path) -> None:
    other = tmp_path / "other"
    run("init", "--dir", str(other))
    key = next(
        line
        for line in (other / "config.toml").read_text().splitlines()
        if "key" in line.partition("=")[0] and "=" in line and not line.startswith("#")
    )
    text = Path(seeded).read_text()
    mine = next(
        line for line in text.splitlines() if line.partition("=")[0] == key.partition("=")[0]
    )
    Path(seeded).write_text(text.replace(mine, key))
    shown = run("doctor", "--config", seeded)
    assert "2 of 2 cannot be read with this secret key" in shown.output
