"""Links in mail: a page that asks, and a button that does it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete
from sqlmodel import Session, col, select

from monitor.core.clock import ManualClock
from monitor.core.routes import About, Digest
from monitor.signed_links import Purpose, SignedLinks
from monitor.store import acknowledgements, routes
from monitor.store.columns import saved
from monitor.store.engine import open_engine, upgrade
from monitor.store.incidents import append
from monitor.store.route_tables import AcknowledgementRow, RouteRow
from monitor.store.secrets import new_key
from monitor.store.tables import OrganisationRow
from monitor.store.verdict_tables import AlertRow, IncidentEventRow
from monitor.web.app import create_app
from monitor.web.parts import Parts
from tests.web.reader import Page, read
from tests.web.worlds import FACTS, NOW, provider_incident

ANNA = "anna@example.org"
ONE = "microsoft365/2026-03-01T18"


class Post:
    """An installation that has written to one recipient, who opens the links."""

    def __init__(self, folder: Path) -> None:
        self.engine = open_engine(f"sqlite:///{folder / 'seedwatch.db'}")
        upgrade(self.engine)

    def begin(self) -> None:
        """Forget what was done, and begin anew at NOW."""
        self.clock = ManualClock(NOW)
        self.links = SignedLinks([new_key()], "http://localhost", self.clock)
        parts = Parts(engine=self.engine, clock=self.clock, facts=FACTS, links=self.links)
        self.client: FlaskClient = create_app(parts).test_client()
        with Session(self.engine) as session:
            for table in (
                AlertRow,
                AcknowledgementRow,
                RouteRow,
                IncidentEventRow,
                OrganisationRow,
            ):
                session.execute(delete(table))
            session.add(OrganisationRow(id=1, name="<b>Acme</b>"))
            session.flush()
            for event in provider_incident(["t0001"]):
                append(session, event)
            route = RouteRow(
                organisation_id=1,
                address=ANNA,
                digest=Digest.WEEKLY,
                timezone="Europe/Berlin",
            )
            session.add(route)
            session.flush()
            self.route_id = saved(route.id)
            for about in (About.DIGEST, About.INCIDENT):
                session.add(
                    AlertRow(
                        about=about,
                        incident=str(about),
                        topic="1",
                        route_id=self.route_id,
                        message_id=f"<{about}@example.org>",
                        created_at=NOW,
                        due_at=NOW,
                    )
                )
            session.commit()

    def link(self, purpose: Purpose, about: str) -> str:
        return f"/l/{purpose}/{self.links.make(purpose, self.route_id, about)}"

    def asks(self, path: str, status: int = 200) -> Page:
        answer = self.client.get(path)
        assert answer.status_code == status
        return read(answer.text)

    def does(self, path: str, **form: str) -> str:
        answer = self.client.post(path, data=form)
        assert answer.status_code == 200, answer.text
        page = read(answer.text)
        assert page.all("form") == []
        return page.one("h1").text

    def route(self) -> RouteRow:
        with Session(self.engine) as session:
            return session.exec(select(RouteRow)).one()

    def known(self) -> list[AcknowledgementRow]:
        with Session(self.engine) as session:
            return acknowledgements.of_incident(session, ONE)

    def dropped(self) -> list[str]:
        with Session(self.engine) as session:
            rows = select(AlertRow.incident).where(col(AlertRow.dead_at).is_not(None))
            return sorted(session.exec(rows).all())

    def everything(self) -> list[object]:
        with Session(self.engine) as session:
            rows = [*session.exec(select(RouteRow)), *session.exec(select(AlertRow))]
            return [row.model_dump() for row in rows] + [row.model_dump() for row in self.known()]


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Post]:
    made = Post(tmp_path_factory.mktemp("post"))
    yield made
    made.engine.dispose()


@pytest.fixture
def post(installation: Post) -> Post:
    installation.begin()
    return installation


def about(purpose: Purpose) -> str:
    return ONE if purpose in {Purpose.ACKNOWLEDGE, Purpose.SNOOZE} else ANNA


def test_opening_a_link_changes_nothing_and_leaves_no_trace(post: Post) -> None:
    before = post.everything()
    for purpose in Purpose:
        path = post.link(purpose, about(purpose))
        for headers in ({}, {"Sec-Purpose": "prefetch"}):
            answer = post.client.get(path, headers=headers)
            assert answer.status_code == 200
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["Referrer-Policy"] == "no-referrer"
            assert "Set-Cookie" not in answer.headers
        assert post.client.head(path).status_code == 200
        assert post.client.options(path).status_code == 200
        page = read(answer.text)
        form = page.one("form")
        assert form.attributes.get("action", "") == ""
        assert page.all("script") == []
        assert form.one("button").text
    assert post.everything() == before


def test_an_incident_is_acknowledged_once(post: Post) -> None:
    path = post.link(Purpose.ACKNOWLEDGE, ONE)
    assert "quarantining mail" in post.asks(path).text
    for _ in range(2):
        said = post.does(path)
        assert said == f"Acknowledged by {ANNA}: no more reminders will be sent."
    assert [(row.by, row.until, row.organisation_id) for row in post.known()] == [(ANNA, None, 1)]
    assert post.asks(path).all("form") == []
    assert post.asks(post.link(Purpose.SNOOZE, ONE)).all("form") == []
    assert f"Acknowledged by {ANNA}" in post.asks(f"/incidents/{ONE}").section("Alerts").text


@pytest.mark.parametrize(
    ("choice", "until"),
    [
        ("4h", NOW + timedelta(hours=4)),
        ("tomorrow", datetime(2026, 3, 3, 8, tzinfo=UTC)),  # 9:00 in Berlin
        ("3d", NOW + timedelta(days=3)),
    ],
)
def test_reminders_are_put_off(post: Post, choice: str, until: datetime) -> None:
    path = post.link(Purpose.SNOOZE, ONE)
    offered = [i.attributes["value"] for i in post.asks(path).all("input")]
    assert choice in offered
    post.does(path, choice=choice)
    post.clock.sleep(timedelta(seconds=2))
    assert "Europe/Berlin" in post.does(path, choice=choice)
    assert [row.until for row in post.known()] == [until]
    assert "Reminders are put off until" in post.asks(f"/incidents/{ONE}").section("Alerts").text


def test_a_choice_that_is_not_offered_is_refused(post: Post) -> None:
    for form in ({}, {"choice": "forever"}):
        assert post.client.post(post.link(Purpose.SNOOZE, ONE), data=form).status_code == 400
    assert post.known() == []


def test_what_is_over_or_unknown_needs_no_acknowledgement(post: Post) -> None:
    for purpose in (Purpose.ACKNOWLEDGE, Purpose.SNOOZE):
        path = post.link(purpose, "gmail/none")
        assert post.asks(path).all("form") == []
        assert "no longer on record" in post.does(path, choice="4h")


def test_a_recipient_confirms(post: Post) -> None:
    path = post.link(Purpose.CONFIRM, ANNA)
    asked = post.asks(path)
    assert "<b>Acme</b> asks for this." in asked.text
    assert post.route().confirmed_at is None
    assert post.does(path) == post.does(path) == f"Alerts will be sent to {ANNA}."
    assert (post.route().confirmed_at, post.route().confirmed_by) == (NOW, routes.BY_LINK)
    assert post.asks(path).all("form") == []


def test_one_click_ends_the_summaries_without_a_page(post: Post) -> None:
    path = post.link(Purpose.UNSUBSCRIBE, ANNA)
    for _ in range(2):
        answer = post.client.post(path, data={"List-Unsubscribe": "One-Click"})
        assert (answer.status_code, answer.mimetype) == (200, "text/plain")
    assert post.route().digest is Digest.NONE
    assert post.dropped() == ["digest"]


def test_a_person_chooses_what_to_stop(post: Post) -> None:
    post.does(post.link(Purpose.CONFIRM, ANNA))
    path = post.link(Purpose.UNSUBSCRIBE, ANNA)
    assert post.does(path, choice="summaries") == f"No more summaries will be sent to {ANNA}."
    assert post.route().confirmed_at is not None
    for _ in range(2):
        assert post.does(path, choice="everything") == f"Nothing more will be sent to {ANNA}."
    assert post.route().confirmed_at is None
    assert post.dropped() == ["digest", "incident"]


def test_a_link_that_is_too_old_or_not_whole_says_what_to_do(post: Post) -> None:
    path = post.link(Purpose.ACKNOWLEDGE, ONE)
    assert "Open it from the message again" in post.asks(path[:-3], 404).text
    assert post.client.post(path[:-3]).status_code == 404
    assert post.client.get(path.replace("/ack/", "/snooze/")).status_code == 404
    assert post.client.get(path.replace("/ack/", "/other/")).status_code == 404
    post.clock.sleep(timedelta(days=15))
    assert "newer link" in post.asks(path, 410).text
    assert post.client.post(path).status_code == 410
    assert post.known() == []


def test_a_link_does_not_outlive_its_recipient(post: Post) -> None:
    old = [post.link(p, "old@example.org") for p in (Purpose.CONFIRM, Purpose.UNSUBSCRIBE)]
    mine = [post.link(purpose, about(purpose)) for purpose in Purpose]
    with Session(post.engine) as session:
        routes.remove(session, session.exec(select(RouteRow)).one(), now=NOW)
        session.commit()
    for path in old + mine:
        assert post.client.get(path).status_code == 410
        assert post.client.post(path, data={"choice": "4h"}).status_code == 410


def test_a_failure_is_logged_without_the_link(
    post: Post, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    empty = open_engine(f"sqlite:///{tmp_path / 'empty.db'}")  # it has no tables
    parts = Parts(engine=empty, clock=post.clock, facts=FACTS, links=post.links)
    path = post.link(Purpose.ACKNOWLEDGE, ONE)
    assert create_app(parts).test_client().get(path).status_code == 500
    empty.dispose()
    assert "/l/<purpose>/<token>" in caplog.text
    assert path not in caplog.text


def test_without_a_key_there_are_no_such_pages(post: Post) -> None:
    closed = create_app(Parts(engine=post.engine, clock=post.clock, facts=FACTS)).test_client()
    assert closed.get(post.link(Purpose.ACKNOWLEDGE, ONE)).status_code == 404
