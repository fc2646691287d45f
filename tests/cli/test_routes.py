"""`seedwatch routes`: who is told is asked first, and a webhook shows that it works."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlmodel import Session, select
from standardwebhooks import Webhook

from monitor.core.routes import About
from monitor.store.route_tables import RouteRow
from monitor.store.verdict_tables import AlertRow
from tests.cli.typed import listed, refused, run, setting
from tests.edges.strict_http import Asked, Reply, StrictService


class Receiver:
    """A webhook's other end: keeps what came, and answers as told."""

    def __init__(self) -> None:
        self.came: list[Asked] = []
        self.reply = Reply(b"thank you", 200)
        self.service = StrictService(self._take)
        self.url = f"{self.service.url}/hook"

    def _take(self, asked: Asked) -> Reply:
        self.came.append(asked)
        return self.reply


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    one = Receiver()
    yield one
    one.service.stop()


@pytest.fixture
def open_config(config: str) -> str:
    """An installation that may talk to this machine."""
    setting(config, "alerts", 'allow_private = ["127.0.0.0/8"]')
    return config


def routes(config: str, *words: str) -> Any:
    return run("routes", words[0], "--config", config, *words[1:])


def test_a_webhook_is_confirmed_by_a_trial_that_it_takes(
    open_config: str, receiver: Receiver, session: Session
) -> None:
    """And signs with two secrets while they rotate, and can be sent again."""
    added = routes(open_config, "add", "webhook", receiver.url, "--least", "critical")
    (secret,) = re.findall(r"whsec_\S+", added.stdout)
    receiver.reply = Reply(b"not yet", 503)
    assert refused(routes(open_config, "test", "1"), "503 not yet", status=1)
    assert session.exec(select(RouteRow.confirmed_at)).all() == [None]
    receiver.reply = Reply(b"thank you", 200)
    fresh = routes(open_config, "rotate", "1").stdout

    tried = routes(open_config, "test", "1")

    assert "Route 1 took it: 200 thank you" in tried.stdout
    assert "confirmed by that" in tried.stdout
    for key in (secret, *re.findall(r"whsec_\S+", fresh)):
        told = Webhook(key).verify(receiver.came[-1].body, dict(receiver.came[-1].headers))
        assert told["type"] == "trial"
    assert "The old secret has ended." in routes(open_config, "rotate", "1", "--finish").stdout
    (route,) = listed(open_config, "routes", "list")
    assert (route["state"], route["confirmed_by"], route["least"]) == ("told", "trial", "critical")
    assert secret not in str(route)
    log = listed(open_config, "routes", "log", "1")
    assert [one["outcome"] for one in log] == ["delivered", "later"]
    assert log[0]["delivery"] == receiver.came[-1].headers["webhook-id"]
    assert routes(open_config, "replay", str(log[0]["alert"])).exit_code == 0
    again = session.get_one(AlertRow, log[0]["alert"], populate_existing=True)
    assert (again.sent_at, again.attempts) == (None, 0)
    assert refused(routes(open_config, "replay", str(again.id)), "is still being delivered")


def test_a_webhook_that_is_gone_is_suspended_until_it_is_resumed(
    open_config: str, receiver: Receiver
) -> None:
    routes(open_config, "add", "webhook", receiver.url)
    receiver.reply = Reply(b"", 410)
    assert refused(routes(open_config, "test", "1"), "is gone (410)", status=1)
    assert refused(routes(open_config, "test", "1"), "is suspended", "routes resume 1", status=1)
    assert "told again" in routes(open_config, "resume", "1").stdout
    receiver.reply = Reply(b"", 204)
    assert routes(open_config, "test", "1").exit_code == 0
    assert len(receiver.came) == 2


def test_whoever_is_told_by_mail_is_asked_first(config: str, session: Session) -> None:
    """And what was chosen for them can be changed."""
    chosen = ("--cause", "provider", "--quiet", "22:00-07:00")
    added = routes(config, "add", "email", "team@example.org", *chosen)
    assert "is asked by mail" in added.stdout
    assert refused(routes(config, "test", "1"), "has not agreed", "confirm 1 --ask", status=1)
    assert "asked again" in routes(config, "confirm", "1", "--ask").stdout
    owed = session.exec(select(AlertRow)).all()
    assert [(one.about, one.topic) for one in owed] == [
        (About.CONFIRM, "asked/1"),
        (About.CONFIRM, "asked/2"),
    ]
    assert "confirmed, by you" in routes(config, "confirm", "1").stdout
    assert routes(config, "set", "1", "--cause", "all", "--digest", "daily").exit_code == 0
    (route,) = session.exec(select(RouteRow)).all()
    assert (route.confirmed_by, route.causes, route.digest) == ("operator", [], "daily")
    assert route.quiet_from == "22:00"
    assert refused(routes(config, "add", "email", "team@example.org"), "is route 1 already")
    assert routes(config, "remove", "1").exit_code == 0
    assert refused(routes(config, "show", "1"), "no route 1", status=1)


def test_a_chat_is_added_without_its_address_being_shown(config: str, session: Session) -> None:
    url = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/"
    added = routes(config, "add", "apprise", url)
    assert "routes test 1" in added.stdout
    (route,) = session.exec(select(RouteRow)).all()
    assert route.address.startswith("slack://")
    assert "TIiajkdnlazkcOXrIdevi7FQ" not in added.output + route.address
    assert b"TIiajkdnlazkcOXrIdevi7FQ" not in route.secret
