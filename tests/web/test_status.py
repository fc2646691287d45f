"""What everybody may read of providers' filters, and what nobody can learn from it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete
from sqlmodel import Session, SQLModel

from monitor.core.clock import ManualClock
from monitor.core.incidents import State
from monitor.core.placements import Placement
from monitor.steps.publish import publish
from monitor.store import filter_states
from monitor.store.engine import open_engine, upgrade
from monitor.store.feed_tables import FilterStateRow
from monitor.store.incidents import append
from monitor.web.app import create_app
from monitor.web.parts import Parts
from tests.providers import NAMES
from tests.web.reader import Page, read
from tests.web.worlds import FACTS, HOUR, NOW, SENDERS, World, provider_incident

M365, GMAIL = "microsoft365", "gmail"
URL = "https://mail.example.org"
ATOM = "{http://www.w3.org/2005/Atom}"


def lost(sender: str, provider: str, number: int, at: datetime) -> Sequence[Placement]:
    return [Placement.QUARANTINE if provider == M365 else Placement.INBOX]


class Board:
    """An installation with two providers that publishes, seen at a time that moves."""

    def __init__(self, folder: Path) -> None:
        self.world = World(open_engine(f"sqlite:///{folder / 'seedwatch.db'}"))
        upgrade(self.world.engine)

    def begin(self) -> None:
        """Forget everything, and begin at NOW: the block from 0:00 to 6:00 is settled."""
        with Session(self.world.engine) as session:
            for table in reversed(SQLModel.metadata.sorted_tables):
                session.execute(delete(table))
            session.commit()
        self.world = World(self.world.engine)
        self.world.begin(providers=(M365, GMAIL), each=2)
        self.clock = ManualClock(NOW)
        self.client = self.open(URL)

    def open(self, url: str) -> FlaskClient:
        parts = Parts(self.world.engine, self.clock, FACTS, status_url=url)
        return create_app(parts).test_client()

    def send(self, senders: Sequence[str] = SENDERS, *, hours: float = 5) -> None:
        for sender in senders:
            self.world.send(sender, NOW - hours * HOUR, lost)

    def publish(self, **later: float) -> int:
        self.clock.sleep(timedelta(**later))
        with Session(self.world.engine) as session:
            new = publish(session, NAMES, now=self.clock.now())
            session.commit()
        return new

    def happens(self, *, senders: Sequence[str], until: State = State.CONFIRMED) -> None:
        with Session(self.world.engine) as session:
            for event in provider_incident([], until=until):
                append(session, replace(event, hit=tuple(senders), spared=()))
            session.commit()

    def newest(self, provider: str) -> FilterStateRow:
        with Session(self.world.engine) as session:
            return filter_states.newest(session)[provider]

    def page(self) -> Page:
        answer = self.client.get("/status")
        assert answer.status_code == 200
        return read(answer.text)


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    made = Board(tmp_path_factory.mktemp("status"))
    yield made
    made.world.engine.dispose()


@pytest.fixture
def board(installation: Board) -> Board:
    installation.begin()
    return installation


def test_it_is_closed_unless_it_is_made_public(board: Board) -> None:
    for path in ("/status", "/status.json", "/status.atom"):
        assert board.open("").get(path).status_code == 404
        assert board.client.get(path).status_code == 200


def test_each_filter_is_told_with_its_figures(board: Board) -> None:
    board.send()
    assert board.publish() == 2
    page = board.page()
    assert [h.text for h in page.all("h3")] == ["Microsoft 365 degraded", "Gmail normal"]
    assert "100 % did not reach the inbox" in page.text
    assert "mean of 5 senders, 10 copies" in page.text
    told = board.client.get("/status.json").get_json()["results"][0]
    assert (told["provider"], told["state"], told["lost"]) == (M365, "degraded", 1.0)
    assert 0 < told["ci_low"] < told["ci_high"] <= 1
    assert told["sent_from"] == "2026-03-02T00:00:00Z"
    assert len(told["history"]) == 90
    assert told["history"][-1] == {"day": "2026-03-02", "state": "degraded"}


def test_four_senders_tell_nothing_not_even_how_many_they_are(board: Board) -> None:
    board.send(SENDERS[:4])
    board.publish()
    told = board.client.get("/status.json").get_json()["results"]
    assert {each["state"] for each in told} == {"unknown"}
    for name in ("senders", "n", "n_eff", "lost", "ci_low", "ci_high", "sent_from"):
        assert [each[name] for each in told] == [None, None]
    assert "not enough data" in board.page().text


def test_no_sender_is_named_anywhere(board: Board) -> None:
    board.send()
    board.happens(senders=SENDERS)
    board.publish()
    for path in ("/status", "/status.json", "/status.atom"):
        text = board.client.get(path).text.lower()
        assert [name for name in SENDERS if name in text] == []


def test_figures_of_a_block_are_published_once(board: Board) -> None:
    """Else the difference of two figures would tell of one sender's mail."""
    board.send()
    board.publish()
    before = board.newest(GMAIL).model_dump()
    board.send(SENDERS[:1], hours=4)
    for _ in range(4):
        assert board.publish(minutes=15) == 0
    assert board.newest(GMAIL).model_dump() == before
    board.happens(senders=SENDERS)
    assert board.publish(minutes=15) == 1
    after, name = board.newest(M365), "Microsoft 365"
    assert (after.state, after.senders, after.n) == ("wrong", 5, 10)
    assert after.sentence.startswith(f"{name} keeps legitimate mail that links to lnk.example.net")


def test_publishing_twice_at_a_time_writes_once(board: Board) -> None:
    board.send()
    assert board.publish() == 2
    assert board.publish() == 0
    assert board.publish(minutes=14) == 0


def test_a_row_comes_at_least_every_day_and_without_one_nobody_knows(board: Board) -> None:
    board.publish()
    assert board.publish(hours=15) == 0
    assert board.publish(hours=2) == 2
    board.clock.sleep(timedelta(hours=30))
    assert "Nothing was published of Gmail lately." in board.page().text


def test_an_incident_of_few_senders_is_not_published(board: Board) -> None:
    board.happens(senders=SENDERS[:4])
    board.publish()
    assert board.newest(M365).state == "unknown"


def test_a_suspicion_is_not_published_and_recovery_is(board: Board) -> None:
    board.happens(senders=SENDERS, until=State.SUSPECTED)
    board.publish()
    assert board.newest(M365).state == "unknown"
    board.begin()
    board.happens(senders=SENDERS, until=State.RECOVERING)
    board.publish()
    assert board.newest(M365).state == "degraded"


def test_the_feed_has_an_entry_for_each_change_with_an_id_that_stays(board: Board) -> None:
    board.send()
    board.publish()
    first = entries(board)
    assert [title for _, title in first] == ["Microsoft 365: degraded", "Gmail: normal"]
    board.happens(senders=SENDERS)
    board.publish(minutes=30)
    later = entries(board)
    assert later[0][1] == "Microsoft 365: wrong"
    assert later[1:] == first
    assert all(each.startswith("urn:uuid:") for each, _ in later)


def entries(board: Board) -> list[tuple[str, str]]:
    """Ids and titles; what RFC 4287 demands of a feed and of its entries is there."""
    answer = board.client.get("/status.atom")
    assert answer.mimetype == "application/atom+xml"
    feed = ET.fromstring(answer.data)
    assert feed.tag == f"{ATOM}feed"
    found = []
    for each in (feed, *feed.findall(f"{ATOM}entry")):
        for tag in ("id", "title", "updated"):
            assert len(each.findall(f"{ATOM}{tag}")) == 1
        datetime.fromisoformat(each.findtext(f"{ATOM}updated", ""))
        assert each.findall(f"{ATOM}link")
        found.append((each.findtext(f"{ATOM}id", ""), each.findtext(f"{ATOM}title", "")))
    assert feed.findtext(f"{ATOM}author/{ATOM}name")
    return found[1:]


def test_what_is_older_than_the_history_is_no_change(board: Board) -> None:
    with Session(board.world.engine) as session:
        for days in range(95):
            at = NOW - timedelta(days=days)
            row = FilterStateRow(provider=GMAIL, at=at, state="normal", senders=0)
            session.add(row)
        session.commit()
    assert entries(board) == []
    assert "normal 90" in board.page().text


def test_an_empty_board_is_a_valid_feed_and_page(board: Board) -> None:
    assert entries(board) == []
    assert "Nothing has been published yet." in board.page().text


def test_answers_may_be_cached_and_are_not_sent_again(board: Board) -> None:
    board.send()
    board.publish()
    for path in ("/status", "/status.json", "/status.atom"):
        answer = board.client.get(path)
        assert answer.headers["Cache-Control"] == "public, max-age=60"
        board.clock.sleep(timedelta(seconds=5))
        again = board.client.get(path, headers={"If-None-Match": answer.headers["ETag"]})
        assert again.status_code == 304


def test_what_strangers_wrote_is_escaped(board: Board) -> None:
    with Session(board.world.engine) as session:
        wild = "<script>alert(1)</script>\x00\x1b & ]]>"
        row = FilterStateRow(provider="<i>x", at=NOW, state="wrong", senders=0, sentence=wild)
        session.add(row)
        session.commit()
    assert board.page().all("script") == []
    assert len(entries(board)) == 1
    assert board.client.get("/status.json").get_json()["results"][0]["sentence"] == wild


def test_the_page_leads_to_the_feed_and_to_nothing_private(board: Board) -> None:
    page = board.page()
    links = [a.attributes["href"] for a in page.all("link", rel="alternate")]
    assert links == ["/status.atom", "/status.json"]
    assert {a.attributes["href"] for a in page.all("a")} == {
        "#main",
        "/status.json",
        "/status.atom",
    }
