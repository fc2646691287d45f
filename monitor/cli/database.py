"""`seedwatch db`."""

from pathlib import Path

import click

from monitor.cli.context import config_option
from monitor.settings import load_settings
from monitor.store.engine import backup, is_current, open_engine, upgrade


@click.group("db")
def database() -> None:
    """The database: bring it up to date, copy it."""


@database.command("upgrade")
@config_option
def db_upgrade(config: Path) -> None:
    """Bring the database to the version that this program needs. Safe to repeat."""
    engine = open_engine(load_settings(config).database.url)
    was_current = is_current(engine)
    upgrade(engine)
    click.echo("The database is up to date." if was_current else "The database was upgraded.")
    engine.dispose()


@database.command("backup")
@config_option
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def db_backup(config: Path, file: Path) -> None:
    """Copy a SQLite database to FILE while Seedwatch runs."""
    engine = open_engine(load_settings(config).database.url)
    backup(engine, file)
    click.echo(f"Copied to {file}.")
    engine.dispose()
