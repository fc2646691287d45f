"""`seedwatch seeds export --for` and `seeds diff`."""

import json
from pathlib import Path

from click.testing import Result

from tests.cli.typed import refused, run

THERE = b"Email Address,Status\r\nSeed1@mail.example,ok\r\nold@mail.example,ok\r\n"


def diff(config: str, tmp_path: Path, file: bytes, *options: str) -> Result:
    (tmp_path / "there.csv").write_bytes(file)
    return run("seeds", "diff", str(tmp_path / "there.csv"), "--config", config, *options)


def test_an_export_for_a_service_can_be_repeated_and_says_its_version(seeded: str) -> None:
    first, again = (
        run("seeds", "export", "--config", seeded, "--for", "mailchimp") for _ in range(2)
    )
    assert first.stdout == again.stdout
    assert first.stdout.splitlines()[0] == "Email Address"
    assert sorted(first.stdout.splitlines()[1:]) == ["seed1@mail.example", "seed2@mail.example"]
    assert "Version 1 of list 'default': 2 seeds for mailchimp." in first.stderr
    assert "default-v1-mailchimp.csv" in first.stderr


def test_without_a_service_the_export_is_what_can_be_imported_again(seeded: str) -> None:
    shown = run("seeds", "export", "--config", seeded)
    assert shown.stdout.startswith("address,provider,")
    assert "hunter2" not in shown.output
    assert [line[:5] for line in shown.stdout.splitlines()[1:]] == ["seed1", "seed2"]


def test_what_the_service_lacks_and_has_too_much_is_told(seeded: str, tmp_path: Path) -> None:
    shown = diff(seeded, tmp_path, THERE)
    assert shown.exit_code == 1
    ours = "seeds of version 1 of list 'default'"
    assert f"{ours.capitalize()} that it lacks; add them (1):\n  seed2@" in shown.output
    assert f"that it has and that are no {ours} (1):\n  old@" in shown.output
    told = json.loads(diff(seeded, tmp_path, THERE, "--json").stdout)
    assert (told["missing"], told["extra"]) == (["seed2@mail.example"], ["old@mail.example"])
    assert (told["version"], told["there"], told["column"]) == (1, 2, "'Email Address'")


def test_a_service_that_has_exactly_the_list_is_fine(seeded: str, tmp_path: Path) -> None:
    exported = run("seeds", "export", "--config", seeded, "--for", "ses").stdout
    shown = diff(seeded, tmp_path, exported.encode())
    assert shown.exit_code == 0, shown.output
    assert "exactly the seeds" in shown.output


def test_a_file_that_is_no_list_ends_with_a_sentence(seeded: str, tmp_path: Path) -> None:
    assert refused(diff(seeded, tmp_path, b"\0\1\2"), "there.csv", "cannot be read")
    assert refused(diff(seeded, tmp_path, b"name\nanna\n"), "cannot be read")
