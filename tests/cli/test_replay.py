"""`seedwatch replay`: files in, files out, and what is said of lines that cannot be read."""

import json
from pathlib import Path

from click.testing import CliRunner, Result

from monitor.cli.main import main
from tests.judge.test_stream import story


def lines(folder: Path, hours: float, *, bad: str = "") -> Path:
    path = folder / "observations.jsonl"
    records = [json.dumps(record) for record in story(hours)]
    if bad:
        records.insert(3, bad)
    path.write_text("\n".join(records) + "\n")
    return path


def replay(*args: object) -> Result:
    return CliRunner().invoke(main, ["replay", *map(str, args)])


def test_incidents_are_written_as_lines_and_always_the_same(tmp_path: Path) -> None:
    source = lines(tmp_path, 32)

    first = replay(source, "--out", tmp_path / "a.jsonl", "--false-alarms-per-year", "6")
    replay(source, "--out", tmp_path / "b.jsonl", "--false-alarms-per-year", "6")

    assert first.exit_code == 0, first.output
    told = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert told[0]["provider"] == "p1"
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


def test_a_bad_line_is_named_and_left_out(tmp_path: Path) -> None:
    source = lines(tmp_path, 32, bad='{"type": "check", "t": ')

    done = replay(source)

    assert done.exit_code == 1
    assert f"{source}, line 4: is not JSON" in done.stderr
    assert "1 lines could not be read and were left out." in done.stderr
    assert json.loads(done.stdout.splitlines()[0])["type"] == "incident"


def test_a_bad_line_is_the_end_where_nothing_may_be_left_out(tmp_path: Path) -> None:
    done = replay(lines(tmp_path, 1, bad='{"type": "weather"}'), "--strict")

    assert done.exit_code == 2
    assert "line: '4' type: 'weather' is not world, campaign or check." in done.stderr


def test_a_line_that_is_too_long_is_left_out(tmp_path: Path) -> None:
    done = replay(lines(tmp_path, 1, bad='{"type": "' + "x" * 5_000_000 + '"}'))

    assert done.exit_code == 1
    assert "line 4: the line is longer than" in done.stderr
    assert "1 lines" in done.stderr


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    done = replay(tmp_path / "nothing.jsonl")

    assert done.exit_code == 2
    assert "cannot be opened" in done.stderr


def test_the_file_that_is_read_is_never_written(tmp_path: Path) -> None:
    source = lines(tmp_path, 1)
    before = source.read_bytes()

    done = replay(source, "--out", source)

    assert done.exit_code == 2
    assert "is the file that is read. Name another one." in done.stderr
    assert source.read_bytes() == before
    assert replay("/dev/null", "--out", "/dev/null").exit_code == 0


def test_a_rate_that_is_no_number_is_refused(tmp_path: Path) -> None:
    done = replay(lines(tmp_path, 1), "--false-alarms-per-year", "nan")

    assert done.exit_code == 2
    assert "--false-alarms-per-year: 'nan' is no number. Name one above 0." in done.stderr
