"""A database with one organisation, one sender, one campaign and three seeds."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from monitor.core.clock import ManualClock
from monitor.core.seeds import SeedEntry
from monitor.store import seeds
from monitor.store.columns import saved
from monitor.store.engine import open_engine, upgrade
from monitor.store.route_tables import DomainRow, RouteRow
from monitor.store.secrets import Vault, new_key
from monitor.store.tables import CampaignRow, OrganisationRow, SenderRow
from tests.steps.world import PROVIDER, World


@pytest.fixture(scope="session")
def blank_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("blank") / "blank.db"
    engine = open_engine(f"sqlite:///{path}")
    upgrade(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    return path


@pytest.fixture
def engine(blank_database: Path, tmp_path: Path) -> Iterator[Engine]:
    path = tmp_path / "seedwatch.db"
    shutil.copy(blank_database, path)
    opened = open_engine(f"sqlite:///{path}")
    yield opened
    opened.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with Session(engine) as opened:
        yield opened


@pytest.fixture
def world(session: Session, clock: ManualClock) -> World:
    organisation = OrganisationRow(name="Acme")
    session.add(organisation)
    session.flush()
    sender = SenderRow(
        organisation_id=saved(organisation.id),
        key="news.example.org",
        name="News",
        from_domain="news.example.org",
        mail_from="bounces@news.example.org",
    )
    session.add(sender)
    session.flush()
    campaign = CampaignRow(
        organisation_id=saved(organisation.id),
        sender_id=saved(sender.id),
        name="March letter",
        from_address="hello@news.example.org",
        subject="What is new in March",
        text="Read it at https://links.example.net/march",
    )
    session.add(campaign)
    session.add(
        RouteRow(
            organisation_id=saved(organisation.id),
            sender_id=saved(sender.id),
            address="team@news.example.org",
            confirmed_at=clock.now(),
        )
    )
    session.add(
        DomainRow(
            organisation_id=saved(organisation.id),
            domain="news.example.org",
            token="t",
            created_at=clock.now(),
            proven_at=clock.now(),
        )
    )
    vault = Vault([new_key()])
    made = seeds.import_list(
        session,
        [
            SeedEntry(f"seed{n}@mail.example", PROVIDER, region="eu", password="secret")
            for n in (1, 2, 3)
        ],
        organisation_id=saved(organisation.id),
        name="default",
        vault=vault,
        now=clock.now(),
    )
    session.commit()
    return World(session, clock, campaign, saved(made.id), vault)
