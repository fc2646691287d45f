"""`seedwatch db`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from sqlalchemy import Engine

from monitor.cli.context import config_option
from monitor.settings import load_settings
from monitor.store.engine import backup, is_current, need_database, open_engine, upgrade


@click.group("db")
def database() -> None:
    """The database: bring it up to date, copy it."""


@database.command("upgrade")
@config_option
def db_upgrade(config: Path) -> None:
    """Bring the database to the version that this program needs. Safe to repeat.

    Where there is none yet, one is made.
    """
    with closing_engine(load_settings(config).database.url) as engine:
        was_current = is_current(engine)
        upgrade(engine)
    click.echo("The database is up to date." if was_current else "The database was upgraded.")


@database.command("backup")
@config_option
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def db_backup(config: Path, file: Path) -> None:
    """Copy a SQLite database to FILE while Seedwatch runs. Only you can read the copy."""
    url = load_settings(config).database.url
    need_database(url)
    with closing_engine(url) as engine:
        backup(engine, file)
    click.echo(f"Copied to {file}.")


@contextmanager
def closing_engine(url: str) -> Iterator[Engine]:
    """An engine whose connections are closed in the end."""
    engine = open_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()
