"""`seedwatch explain`."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from monitor.cli.context import json_option, print_json
from monitor.core.errors import BadInputError
from monitor.evidence.facts import facts
from monitor.evidence.fields import MAX_BYTES

STDIN = "-"
AUTHENTICATION = ("spf", "dkim", "dmarc", "arc", "compauth")


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(allow_dash=True))
@json_option
def explain(files: tuple[str, ...], as_json: bool) -> None:
    """Say what the filters decided on each received message, and why.

    FILES are messages as a mailbox saves them (.eml, or only the headers); - reads standard
    input. With --json, one document a file. What is not understood is shown as it stands.
    """
    for name in files:
        told = facts(_head(name), "")
        if as_json:
            print_json(told)
        else:
            click.echo("\n".join([f"{name}:", *(f"  {line}" for line in _lines(told))]))


def _head(name: str) -> bytes:
    """The beginning of the message, which holds its headers; the rest is never read.

    Raises:
        BadInputError: the file cannot be read, or is empty.
    """
    try:
        if name == STDIN:
            head = sys.stdin.buffer.read(MAX_BYTES)
        else:
            with Path(name).open("rb") as file:
                head = file.read(MAX_BYTES)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise BadInputError(
            "file", name, f"cannot be read ({reason})", remedy="Name a saved message."
        ) from error
    if not head.strip():
        raise BadInputError("file", name, "is empty", remedy="Name a saved message.")
    return head


def _lines(told: Mapping[str, Any]) -> Iterator[str]:
    yield f"received by: {told['receiver'] or 'cannot be told'}"
    yield f"authentication: {_authentication(told['authentication'])}"
    if not told["filters"]:
        yield "filters: none has left a mark that we know"
    for one in told["filters"]:
        yield f"{one['name']}: {one['judged']}. {one['meaning']}"
    if told["contaminated"]:
        yield "placed by the mailbox's own lists or rules: this says nothing about the filter"
    yield from _path(told["hops"], told["transit_s"])
    for field in told["unknown"]:
        yield f"not understood: {field}"


def _authentication(results: Mapping[str, str | None]) -> str:
    known = [f"{name} {results[name]}" for name in AUTHENTICATION if results[name]]
    if results["compauth_reason"]:
        known.append(f"(reason {results['compauth_reason']})")
    return ", ".join(known) or "nothing that the receiver itself wrote"


def _path(hops: Sequence[Mapping[str, Any]], transit_s: float | None) -> Iterator[str]:
    for hop in hops:
        delay = f", {hop['delay_s']:.0f} s later" if hop["delay_s"] is not None else ""
        yield f"hop: {hop['from'] or '?'} to {hop['by'] or '?'} at {hop['at'] or '?'}{delay}"
    if transit_s is not None:
        yield f"on its way for {transit_s:.0f} s"
