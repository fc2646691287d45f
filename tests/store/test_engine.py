"""Opening, upgrading and copying the database."""

import socket
import sqlite3
import stat
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, SQLModel, select

from monitor.core.errors import BadInputError, PersonNeededError
from monitor.store import work_tables
from monitor.store.engine import backup, is_current, open_engine, upgrade
from monitor.store.tables import OrganisationRow, SeedRow


def test_the_migrations_make_what_the_tables_say(engine: Engine) -> None:
    """A column added to a table without a migration fails here."""
    assert work_tables.JobRow.metadata is SQLModel.metadata
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, SQLModel.metadata) == []


def test_a_new_database_is_not_current_until_it_is_upgraded(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'new.db'}")
    before = is_current(engine)
    upgrade(engine)
    after = is_current(engine)
    engine.dispose()
    assert (before, after) == (False, True)


def test_upgrading_twice_at_the_same_time_is_harmless(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'new.db'}")
    threads = [threading.Thread(target=upgrade, args=(engine,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    current = is_current(engine)
    engine.dispose()
    assert current


def test_every_connection_is_prepared(engine: Engine) -> None:
    pragmas = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
    with engine.connect() as first, engine.connect() as second:
        for connection in (first, second):
            found = [connection.execute(text(f"PRAGMA {name}")).scalar() for name in pragmas]
            assert found == ["wal", 1, 1, 30000]


def test_foreign_keys_are_kept_after_an_upgrade(engine: Engine) -> None:
    upgrade(engine)
    with Session(engine) as session:
        session.add(SeedRow(organisation_id=99, address="a@example.org", provider="gmail"))
        with pytest.raises(IntegrityError):
            session.commit()


def test_releasing_a_savepoint_does_not_commit_what_is_around_it(engine: Engine) -> None:
    """The driver would do that: its SAVEPOINT begins a transaction of its own."""
    with Session(engine) as session:
        with session.begin_nested():
            session.add(OrganisationRow(name="kept only if the whole is"))
        session.rollback()
    with Session(engine) as session:
        assert session.exec(select(OrganisationRow)).all() == []


def test_a_reader_that_begins_to_write_waits_for_its_turn(engine: Engine) -> None:
    """Two sessions read, then both write: the second waits instead of failing as locked."""
    with Session(engine) as one, Session(engine) as two:
        one.exec(select(OrganisationRow)).all()
        two.exec(select(OrganisationRow)).all()
        one.add(OrganisationRow(name="one"))
        one.flush()
        two.add(OrganisationRow(name="two"))
        writer = threading.Thread(target=two.commit)
        writer.start()
        one.commit()
        writer.join()
        assert len(one.exec(select(OrganisationRow)).all()) == 2


def test_errors_do_not_show_the_values_of_a_statement(engine: Engine) -> None:
    with Session(engine) as session:
        session.add(OrganisationRow(name="hunter2"))
        session.commit()
        session.add(OrganisationRow(name="hunter2"))
        with pytest.raises(IntegrityError) as caught:
            session.commit()
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["", "nonsense", "mysql://root:hunter2@localhost/x", "postgresql://u:hunter2@localhost"]
)
def test_a_database_that_we_do_not_know_is_refused(url: str) -> None:
    with pytest.raises(BadInputError, match=r"database\.url") as caught:
        open_engine(url)
    assert "hunter2" not in str(caught.value)


def test_a_database_in_a_missing_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="directory that does not exist"):
        open_engine(f"sqlite:///{tmp_path / 'missing' / 'x.db'}")


def test_only_its_owner_may_read_the_database(engine: Engine, tmp_path: Path) -> None:
    with engine.connect():
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert set(modes.values()) == {0o600}


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear customer, " * 100)
    engine = open_engine(f"sqlite:///{tmp_path / 'letter.txt'}")
    with pytest.raises(BadInputError, match="file is not a database"):
        upgrade(engine)
    engine.dispose()


def test_a_directory_is_no_database(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}")
    with pytest.raises(BadInputError, match="unable to open database file"):
        upgrade(engine)
    engine.dispose()


def test_a_server_that_does_not_answer_is_named_without_its_password() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # bound, but nobody listens
        port = silent.getsockname()[1]
        engine = open_engine(f"postgresql+psycopg://u:hunter2@127.0.0.1:{port}/x")
        with pytest.raises(BadInputError, match=f"127.0.0.1:{port}") as caught:
            upgrade(engine)
    assert "hunter2" not in str(caught.value)


def test_a_database_of_a_newer_version_is_left_alone(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(PersonNeededError, match="newer Seedwatch"):
        upgrade(engine)
    assert not is_current(engine)


def test_postgresql_is_opened_through_psycopg() -> None:
    engine = open_engine("postgresql+psycopg://localhost/seedwatch")
    assert (engine.dialect.name, engine.driver) == ("postgresql", "psycopg")


def test_a_backup_is_a_whole_database(engine: Engine, tmp_path: Path) -> None:
    with Session(engine) as session:
        session.add(OrganisationRow(name="example"))
        session.commit()
    copy = tmp_path / "copy.db"
    backup(engine, copy)
    connection = sqlite3.connect(copy)
    names = connection.execute("SELECT name FROM organisation").fetchall()
    connection.close()
    assert names == [("example",)]


def test_a_backup_never_overwrites(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "copy.db").touch()
    with pytest.raises(BadInputError, match="exists already"):
        backup(engine, tmp_path / "copy.db")


def test_a_database_of_another_kind_is_not_copied(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="pg_dump"):
        backup(open_engine("postgresql+psycopg://localhost/seedwatch"), tmp_path / "copy.db")
