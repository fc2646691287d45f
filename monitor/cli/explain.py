"""`seedwatch explain`."""

import sys
from pathlib import Path

import click

from monitor.cli.context import json_option, print_json
from monitor.core.errors import BadInputError
from monitor.evidence import parts, telling
from monitor.evidence.explained import explained
from monitor.wiring.replies import load_replies

STDIN = "-"


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(allow_dash=True))
@click.option(
    "--trust",
    "trusted",
    multiple=True,
    metavar="NAME",
    help="Believe results under this name right below the receiver's Received: of a server"
    " whose filter always writes them there.",
)
@json_option
def explain(files: tuple[str, ...], trusted: tuple[str, ...], as_json: bool) -> None:
    """Say what the filters decided on each received message, and why.

    FILES are messages as a mailbox saves them (.eml, or only the headers); - reads standard
    input. A report that a message could not be delivered is explained as such. With --json,
    one document a file. What is not understood is shown as it stands.
    """
    known = load_replies()
    names = [name.lower() for name in trusted]
    for name in files:
        told = explained(_read(name), known, names)
        if as_json:
            print_json(told)
        else:
            click.echo("\n".join([f"{name}:", *(f"  {line}" for line in telling.lines(told))]))


def _read(name: str) -> bytes:
    """The beginning of the message; what follows `parts.MAX_BYTES` is never read.

    Raises:
        BadInputError: the file cannot be read, or is empty.
    """
    try:
        if name == STDIN:
            raw = sys.stdin.buffer.read(parts.MAX_BYTES)
        else:
            with Path(name).open("rb") as file:
                raw = file.read(parts.MAX_BYTES)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise BadInputError(
            "file", name, f"cannot be read ({reason})", remedy="Name a saved message."
        ) from error
    if not raw.strip():
        raise BadInputError("file", name, "is empty", remedy="Name a saved message.")
    return raw
