"""What a load balancer asks."""

from datetime import timedelta
from pathlib import Path

from flask.testing import FlaskClient
from sqlalchemy import Engine, text
from sqlmodel import Session

from monitor.core.clock import ManualClock
from monitor.store import jobs
from monitor.store.engine import open_engine, upgrade
from monitor.web.app import create_app
from monitor.web.parts import Parts


def client(engine: Engine, clock: ManualClock) -> FlaskClient:
    return create_app(Parts(engine=engine, clock=clock, facts={})).test_client()


def fresh(where: Path) -> Engine:
    engine = open_engine(f"sqlite:///{where / 'seedwatch.db'}")
    upgrade(engine)
    return engine


def test_an_installation_with_nothing_to_do_is_healthy(tmp_path: Path, clock: ManualClock) -> None:
    answer = client(fresh(tmp_path), clock).get("/healthz")
    assert answer.status_code == 200
    assert answer.json == {
        "status": "ok",
        "database": "reachable",
        "schema": "current",
        "jobs": {"late": 0, "dead": 0, "oldest_late_s": 0},
    }


def test_work_that_is_not_being_done_is_unhealthy(tmp_path: Path, clock: ManualClock) -> None:
    engine = fresh(tmp_path)
    with Session(engine) as session:
        jobs.put(session, "read", {}, unique_key="k", due_at=clock.now())
        session.commit()
    clock.sleep(timedelta(minutes=5))
    assert client(engine, clock).get("/healthz").status_code == 200
    clock.sleep(timedelta(minutes=20))
    answer = client(engine, clock).get("/healthz")
    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["jobs"]["oldest_late_s"] == 1500
    assert "worker" in answer.json["reason"]


def test_work_that_is_due_later_is_no_trouble(tmp_path: Path, clock: ManualClock) -> None:
    engine = fresh(tmp_path)
    with Session(engine) as session:
        jobs.put(session, "read", {}, unique_key="k", due_at=clock.now() + timedelta(days=1))
        session.commit()
    assert client(engine, clock).get("/healthz").status_code == 200


def test_an_old_schema_is_unhealthy_and_says_what_to_run(
    tmp_path: Path, clock: ManualClock
) -> None:
    engine = fresh(tmp_path)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM alembic_version"))
    answer = client(engine, clock).get("/healthz")
    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["schema"] == "outdated"
    assert "seedwatch db upgrade" in answer.json["reason"]


def test_a_database_that_is_gone_is_unhealthy(tmp_path: Path, clock: ManualClock) -> None:
    (tmp_path / "seedwatch.db").write_text("this is no database, and never was one " * 40)
    engine = open_engine(f"sqlite:///{tmp_path / 'seedwatch.db'}")
    answer = client(engine, clock).get("/healthz")
    assert answer.status_code == 503
    assert answer.json is not None
    assert answer.json["database"] == "unreachable"
    assert str(tmp_path) not in answer.text
