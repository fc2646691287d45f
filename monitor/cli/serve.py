"""`seedwatch init`, `serve` and `worker`: write a configuration, and run."""

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType

import click

from monitor.cli.context import config_option, open_house
from monitor.cli.listening import Listening
from monitor.settings import load_settings, write_config
from monitor.store.engine import shown
from monitor.wiring.routine import put_routine


@click.command()
@click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Where to write config.toml and keep the database.  [default: here]",
)
def init(folder: Path) -> None:
    """Write config.toml with a fresh secret key.

    Only you can read it (mode 0600). Every key in it is explained. Keep the secret key:
    without it the mailbox passwords in the database cannot be read.
    """
    path = write_config(folder)
    with open_house(path, may_create=True) as house:
        click.echo(f"Wrote {path}; the database is {shown(house.engine)}.")
    click.echo("Next: put your mail server into its [sending] section, then")
    click.echo(f"  seedwatch seeds import seeds.csv --config {path}")


@click.command()
@config_option
@click.option("--port", type=click.IntRange(0, 65535), help="In place of the configured one.")
def serve(config: Path, port: int | None) -> None:
    """Run everything: the dashboard and the worker, until SIGTERM or Ctrl-C."""
    _log()
    web = load_settings(config).web
    with (
        closing(_listen(web.host, web.port if port is None else port)) as listening,
        open_house(config, port=listening.port, may_create=True) as house,
        _until_signal() as stop,
    ):
        put_routine(house)
        worker = threading.Thread(target=house.worker().run, args=(stop,), name="worker")
        worker.start()
        listening.serve(house.app())
        click.echo(f"Seedwatch: {listening.url}")
        stop.wait()
        listening.close()
        worker.join()


@click.command()
@config_option
def worker(config: Path) -> None:
    """Run only the worker: send, look, judge, warn. As many as you like, on many hosts."""
    _log()
    with open_house(config, may_create=True) as house, _until_signal() as stop:
        put_routine(house)
        click.echo("The worker runs; Ctrl-C or SIGTERM ends it.")
        house.worker().run(stop)


def _listen(host: str, port: int) -> Listening:
    remedy = "Another program listens there: stop it, or choose another with --port."
    return Listening(host, port, field="web.port", remedy=remedy)


@contextmanager
def _until_signal() -> Iterator[threading.Event]:
    """An event that SIGTERM and Ctrl-C set."""
    stop = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    before = {s: signal.signal(s, end) for s in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)


def _log() -> None:
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    # It tells of every look at the schema, and so of every question for our health.
    logging.getLogger("alembic").setLevel(logging.WARNING)
