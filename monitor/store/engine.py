"""Open the database, bring it up to date, copy it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, cast

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import StaticPool

from monitor.core.errors import BadInputError, PersonNeededError

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_TIMEOUT_S = 30.0
UPGRADE_LOCK = 7_315_021  # any number, as long as every Seedwatch uses the same


def open_engine(url: str) -> Engine:
    """Return an engine for *url*; nothing is created or connected to yet.

    Errors never show bound values, because those may be secrets.

    Raises:
        BadInputError: not a URL, a database that we do not support, no such directory.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(parsed)
    return create_engine(parsed, hide_parameters=True, pool_pre_ping=True)


def upgrade(engine: Engine) -> None:
    """Bring the schema to the newest version, all or nothing. Safe to call from several places."""
    with _schema_lock(engine) as connection:
        command.upgrade(_config(connection), "head")


def is_current(engine: Engine) -> bool:
    """Has the schema the version that this code needs?"""
    wanted = set(ScriptDirectory(str(MIGRATIONS)).get_heads())
    with engine.connect() as connection:
        return set(MigrationContext.configure(connection).get_current_heads()) == wanted


def backup(engine: Engine, path: Path) -> None:
    """Copy a live SQLite database to *path*, consistent although others write.

    Raises:
        BadInputError: the file exists, its directory does not, or this is not SQLite.
    """
    if engine.dialect.name != "sqlite":
        raise BadInputError(
            "database.url",
            engine.dialect.name,
            "cannot be copied by Seedwatch",
            remedy="Use pg_dump for PostgreSQL.",
        )
    if path.exists():
        raise BadInputError("backup", str(path), "exists already", remedy="Name a new file.")
    _need_directory("backup", path)
    with engine.connect() as connection, closing(sqlite3.connect(path)) as target:
        _driver(connection).backup(target)


def _parse(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    if parsed is not None and parsed.drivername in {"sqlite", "postgresql+psycopg"}:
        return parsed
    raise BadInputError(
        "database.url",
        url.partition(":")[0],  # the rest may hold a password
        "is not a database that Seedwatch knows",
        remedy="Write sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME.",
    )


def _open_sqlite(url: URL) -> Engine:
    # IMMEDIATE: a transaction that is going to write queues for the lock, with the busy
    # time-out, instead of failing when it turns from reader into writer. Reading alone
    # begins none, so a step that reads, then waits for the network, holds nobody up.
    args: dict[str, Any] = {"isolation_level": "IMMEDIATE", "timeout": BUSY_TIMEOUT_S}
    if url.database in {None, "", ":memory:"}:
        args["check_same_thread"] = False
        engine = create_engine(url, hide_parameters=True, connect_args=args, poolclass=StaticPool)
    else:
        _need_directory("database.url", Path(str(url.database)))
        engine = create_engine(url, hide_parameters=True, connect_args=args)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "savepoint", _begin_before_savepoint)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")


def _begin_before_savepoint(connection: Connection, _name: str) -> None:
    """Begin, as the driver does not: else releasing the savepoint would commit everything."""
    if not _driver(connection).in_transaction:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _driver(connection: Connection) -> sqlite3.Connection:
    return cast("sqlite3.Connection", connection.connection.dbapi_connection)


def _need_directory(field: str, path: Path) -> None:
    if not path.parent.is_dir():
        raise BadInputError(
            field,
            str(path),
            "lies in a directory that does not exist",
            remedy=f"Make the directory {str(path.parent)!r}, or name another file.",
        )


@contextmanager
def _schema_lock(engine: Engine) -> Iterator[Connection]:
    """Hold one transaction that keeps every other upgrade out until this one is committed."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            with _rebuilding(connection):
                yield connection
        else:
            lock = text("SELECT pg_advisory_xact_lock(:key)")
            connection.execute(lock, {"key": UPGRADE_LOCK})
            yield connection
            connection.commit()


@contextmanager
def _rebuilding(connection: Connection) -> Iterator[None]:
    """Let tables be rebuilt: foreign keys are off meanwhile, and checked before the commit."""
    connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    try:
        yield
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if broken:
            raise PersonNeededError(
                f"the upgrade would leave {len(broken)} rows without what they refer to,"
                f" the first in table {broken[0][0]}; nothing was changed",
                remedy="Please report this, and go on with the version you had.",
            )
        connection.commit()
    finally:
        connection.rollback()
        connection.exec_driver_sql("PRAGMA foreign_keys = ON")


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config
