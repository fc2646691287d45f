"""Open the database, bring it up to date, copy it."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, cast

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ArgumentError, DatabaseError, OperationalError
from sqlalchemy.pool import StaticPool

from monitor.core.errors import BadInputError, PersonNeededError, SeedwatchError

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_TIMEOUT_S = 30.0
MEMORY = {None, "", ":memory:"}  # names of a SQLite database that is in no file
# Threads bound the number of connections, so the pool need not.
_OPTIONS: dict[str, Any] = {"hide_parameters": True, "max_overflow": -1}
UPGRADE_LOCK = 7_315_021  # any number, as long as every Seedwatch uses the same


def open_engine(url: str) -> Engine:
    """Return an engine for *url*; nothing is connected to yet.

    A SQLite file that is not there yet is made, readable by its owner only. Errors
    never show bound values, because those may be secrets.

    Raises:
        BadInputError: not a URL, a database that we do not support, no such directory.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() == "sqlite":
        return _open_sqlite(parsed)
    return create_engine(parsed, pool_pre_ping=True, **_OPTIONS)


def need_database(url: str) -> None:
    """Refuse a SQLite file that is not there: a wrong path must not make an empty database.

    Raises:
        BadInputError: as `open_engine`, or there is no such file.
    """
    parsed = _parse(url)
    if parsed.get_backend_name() != "sqlite" or parsed.database in MEMORY:
        return
    path = Path(str(parsed.database))
    _need_directory("database.url", path)
    if not path.exists():
        raise BadInputError(
            "database.url",
            str(path),
            "does not exist",
            remedy="Check the path; to begin a new database there: seedwatch db upgrade.",
        )


def shown(engine: Engine) -> str:
    """Return the address of the database without passwords, wherever they stand in it."""
    return engine.url.set(query={}).render_as_string()


def upgrade(engine: Engine) -> None:
    """Bring the schema to the newest version, all or nothing. Safe to call from several places.

    Raises:
        BadInputError: the database cannot be used.
        PersonNeededError: it was made by a newer version.
    """
    try:
        with _usable(engine), _schema_lock(engine) as connection:
            command.upgrade(_config(connection), "head")
    except CommandError as error:
        raise PersonNeededError(
            f"the database was made by a newer Seedwatch than this one: {error}.",
            remedy="Install that version again, or put a backup back.",
        ) from error


def is_current(engine: Engine) -> bool:
    """Has the schema the version that this code needs?

    Raises:
        BadInputError: the database cannot be used.
    """
    wanted = set(ScriptDirectory(str(MIGRATIONS)).get_heads())
    with _usable(engine), engine.connect() as connection:
        return set(MigrationContext.configure(connection).get_current_heads()) == wanted


def backup(engine: Engine, path: Path) -> None:
    """Copy a live SQLite database to *path*, consistent although others write.

    Raises:
        BadInputError: the file exists, its directory does not, it cannot be written, or
            this is not SQLite, or no database at all.
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
    try:  # it holds what the database holds: for its owner only
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise _unwritten(path, error.strerror or "") from error
    try:
        _copy(engine, path)
    except SeedwatchError:
        path.unlink(missing_ok=True)
        raise


def _copy(engine: Engine, path: Path) -> None:
    try:
        with (
            _usable(engine),
            engine.connect() as connection,
            closing(sqlite3.connect(path)) as target,
        ):
            _driver(connection).backup(target)
    except sqlite3.Error as error:  # the copying itself goes past SQLAlchemy
        raise _unwritten(path, str(error)) from error


def _unwritten(path: Path, reason: str) -> BadInputError:
    return BadInputError(
        "backup",
        str(path),
        f"cannot be written ({reason})",
        remedy="Name a file in a directory of your own, with room for a copy.",
    )


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


@contextmanager
def _usable(engine: Engine) -> Iterator[None]:
    """Tell in words why the database cannot be used; a fault of our own stays what it is."""
    try:
        yield
    except DatabaseError as error:
        if type(error) not in {DatabaseError, OperationalError}:
            raise
        raise _unusable(shown(engine), str(error.orig)) from error


def _unusable(where: str, reason: str) -> BadInputError:
    return BadInputError(
        "database.url",
        where,
        f"cannot be used ({' '.join(reason.split())})",
        remedy="Check the address, and that its server runs or its file may be written.",
    )


def _open_sqlite(url: URL) -> Engine:
    # The driver begins a transaction at the first write, not at the first read. So a step
    # that reads, then waits for the network, holds nobody up, and one that then writes
    # waits for its turn instead of failing because the database changed since it read.
    args: dict[str, Any] = {"timeout": BUSY_TIMEOUT_S}
    if url.database in MEMORY:
        args["check_same_thread"] = False
        engine = create_engine(url, hide_parameters=True, connect_args=args, poolclass=StaticPool)
    else:
        _make_file(Path(str(url.database)))
        engine = create_engine(url, connect_args=args, **_OPTIONS)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "savepoint", _begin_before_savepoint)
    return engine


def _make_file(path: Path) -> None:
    _need_directory("database.url", path)
    try:
        path.touch(mode=0o600)  # it will hold headers of mail, and sealed passwords
    except OSError as error:
        raise _unusable(str(path), error.strerror or "") from error


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
