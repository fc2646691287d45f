"""`seedwatch replay`."""

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import click

from monitor.cli.context import TROUBLE, printable
from monitor.core.errors import BadInputError
from monitor.judge.judge import Judge
from monitor.judge.stream import RecordError, Replay

MAX_LINE = 4 * 1024 * 1024
MAX_TOLD = 20  # bad lines that are told one by one


@click.command()
@click.argument("observations", type=click.Path(allow_dash=True, path_type=Path))
@click.option("--out", type=click.Path(allow_dash=True, path_type=Path), default=Path("-"))
@click.option(
    "--false-alarms-per-year",
    "rate",
    type=click.FloatRange(min=0, min_open=True, max=1000),
    default=2.0,
    show_default=True,
    help="False provider alarms that you put up with, over all providers together.",
)
@click.option("--explain", is_flag=True, help="Add each event's reason and table of evidence.")
@click.option("--strict", is_flag=True, help="Stop at the first line that cannot be read.")
def replay(observations: Path, out: Path, rate: float, explain: bool, strict: bool) -> None:
    """Run placements of the past, one JSON record a line, through the judge.

    Incident events go to --out as JSON lines, each as soon as it is known; - is standard
    input or output. The same input always gives the same output. docs/replay.md has the
    format. Exit status 1 if lines could not be read.
    """
    if not rate > 0:  # not a number is in no range, and in each of click's
        raise BadInputError(
            "--false-alarms-per-year", str(rate), "is no number", remedy="Name one above 0."
        )
    bad = 0
    with ExitStack() as files:
        source = _opened(files, observations, "rb", sys.stdin.buffer)
        if out.is_file() and observations.exists() and out.samefile(observations):
            raise BadInputError(
                "--out", str(out), "is the file that is read", remedy="Name another one."
            )
        target = _opened(files, out, "wb", sys.stdout.buffer)
        playing = Replay(Judge(false_alarms_per_year=rate))
        for number, line in _lines(source):
            try:
                events = playing.take(_record(line), explain=explain)
            except RecordError as error:
                bad += 1
                _complain(observations, number, error, bad, strict=strict)
                continue
            for event in events:
                target.write(json.dumps(event, separators=(",", ":")).encode() + b"\n")
            if events:
                target.flush()
    if bad:
        click.echo(f"{bad} lines could not be read and were left out.", err=True)
        raise click.exceptions.Exit(TROUBLE)


def _opened(files: ExitStack, path: Path, mode: str, standard: IO[bytes]) -> IO[bytes]:
    if str(path) == "-":
        return standard
    try:
        return files.enter_context(path.open(mode))
    except OSError as error:
        raise BadInputError(
            "file", str(path), f"cannot be opened ({error.strerror})", remedy="Name another file."
        ) from error


def _lines(source: IO[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield each line that is not blank, by its number; of one that is too long, the beginning."""
    number = 0
    while line := source.readline(MAX_LINE):
        number += 1
        whole = line
        while line and not line.endswith(b"\n"):
            line = source.readline(MAX_LINE)
            whole = whole if not line else whole[:MAX_LINE] + b"\n"
        if whole.strip():
            yield number, whole


def _record(line: bytes) -> dict[str, Any]:
    if len(line) > MAX_LINE:
        raise RecordError(f"the line is longer than {MAX_LINE} bytes")
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        raise RecordError("is not JSON") from None
    if not isinstance(record, dict):
        raise RecordError("is not a JSON object")
    return record


def _complain(path: Path, number: int, error: RecordError, count: int, *, strict: bool) -> None:
    said = printable(f"{path}, line {number}: {error}")
    if strict:
        raise BadInputError(
            "line", str(number), str(error), remedy="Mend it, or leave out --strict."
        )
    if count <= MAX_TOLD:
        click.echo(said, err=True)
