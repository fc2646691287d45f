"""`seedwatch demo`."""

import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import click

from monitor.cli.context import TROUBLE, print_json
from monitor.cli.listening import Listening
from monitor.core.errors import BadInputError
from monitor.demo.run import perform, stopwatch
from monitor.demo.show import Show
from monitor.demo.stage import Stage, set_up
from monitor.settings.files import DEMO_DATABASE

BANNER = (
    "Demo: simulated providers on this machine, and lab time that runs as fast as the work allows."
)


@click.command()
@click.option("--once", is_flag=True, help="End when the story is over; do not keep the dashboard.")
@click.option("--json", "as_json", is_flag=True, help="With --once: print one JSON document.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8025,
    show_default=True,
    help="Of the dashboard; 0 takes any free one.",
)
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep the database in this directory.",
)
def demo(once: bool, as_json: bool, port: int, keep: Path | None) -> None:
    """Replay MO255463 on simulated providers, for real.

    Starts eight simulated mailbox providers on this machine (real SMTP and IMAP on the
    loopback), sends the campaigns of eleven senders to 32 seeds, reads every copy back
    again and again, lets Microsoft 365 go wrong over one link domain, says whose fault it
    is, mails the senders concerned, and serves the dashboard.

    Exit status 0 only if the story came out right, computed from what was read back.
    """
    if as_json and not once:
        raise BadInputError("--json", "", "needs --once", remedy="Add --once.")
    started = stopwatch()
    show = Show(sys.stderr if as_json else sys.stdout)
    with (
        _dashboard(port, once=once) as listening,
        _folder(keep) as folder,
        set_up(folder, port=listening.port if listening else port) as stage,
    ):
        _open(show, stage)
        found = perform(stage, show)
        seconds = stopwatch() - started
        if as_json:
            print_json(found.as_json(seconds))
        show.say(f"From start to end: {seconds:.0f} seconds.")
        if listening:
            _stay(show, stage, listening)
    if not found.story_ok:
        sys.exit(TROUBLE)


def _open(show: Show, stage: Stage) -> None:
    show.say("Seedwatch demo: eight simulated mailbox providers are up on this machine.")
    show.say("Lab time does not pass by itself: it jumps to the next thing that is due,")
    show.say(
        f"so two days take about a minute. It begins at {stage.clock.now():%d %b %Y %H:%M} UTC."
    )
    show.say()


def _stay(show: Show, stage: Stage, listening: Listening) -> None:
    """Serve the dashboard until Ctrl-C."""
    listening.serve(stage.house.app(banner=BANNER))
    show.say()
    show.say(f"The dashboard: {listening.url}   (Ctrl-C ends the demo)")
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        show.say("Good-bye.")


@contextmanager
def _dashboard(port: int, *, once: bool) -> Iterator[Listening | None]:
    """The dashboard's port, held before the story begins: nobody shall wait for it in vain."""
    if once:
        yield None
        return
    with closing(Listening("127.0.0.1", port, field="--port", remedy="Try --port 0.")) as held:
        yield held


def _own_folder(keep: Path) -> Path:
    """Make *keep*; what an earlier demo left there is not played over."""
    try:
        keep.mkdir(parents=True, exist_ok=True)
        is_used = (keep / DEMO_DATABASE).exists()
    except OSError as error:
        problem = f"cannot be used ({error.strerror})"
        remedy = "Name a directory of your own."
        raise BadInputError("--keep", str(keep), problem, remedy=remedy) from error
    if is_used:
        problem = f"holds the {DEMO_DATABASE} of an earlier demo"
        remedy = "Name another directory, or delete that file."
        raise BadInputError("--keep", str(keep), problem, remedy=remedy)
    return keep


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        yield _own_folder(keep)
        return
    folder = Path(tempfile.mkdtemp(prefix="seedwatch-demo-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
