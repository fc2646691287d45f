"""Webhooks: signed, safe to repeat, and no way into the network that we stand in."""

import ipaddress
import json
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from standardwebhooks import Webhook, WebhookVerificationError
from werkzeug.serving import BaseWSGIServer, make_server

from monitor.alerts.webhook import WebhookAlerter, delivery_id
from monitor.core.clock import SystemClock
from monitor.core.errors import AgainLaterError, PersonNeededError, SeedwatchError
from monitor.core.ports import Alert, Message
from monitor.guarded import LOOPBACK
from tests.edges.strict_http import Asked, Reply, StrictService

NEW, OLD, OTHER = (f"whsec_{letter * 32}" for letter in "abc")
MESSAGE = Message("Mail is lost", "text", payload={"incident": "inc-1"}, event="incident.confirmed")
OWED = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
CLOCK = SystemClock()  # a receiver refuses what is older than five minutes


class Receiver:
    """An HTTPS endpoint that verifies each delivery by the library, and counts ids."""

    def __init__(self, ca: trustme.CA, secret: str = NEW) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert("127.0.0.1").configure_cert(context)
        self.taken: dict[str, Any] = {}
        self.reply = Reply(b"", 204)
        self._key = Webhook(secret)
        self.service = StrictService(self._answer, tls=context)
        self.url = f"{self.service.url}/hooks/secret-path?k=secret-query"

    def _answer(self, asked: Asked) -> Reply:
        assert asked.method == "POST"
        assert asked.headers["content-type"] == "application/json"
        try:
            told = self._key.verify(asked.body, dict(asked.headers))
        except WebhookVerificationError as error:
            return Reply(str(error).encode(), 400)
        self.taken[asked.headers["webhook-id"]] = told
        return self.reply


@pytest.fixture(scope="module")
def ready(ca: trustme.CA) -> Iterator[Receiver]:
    receiver = Receiver(ca)
    yield receiver
    receiver.service.stop()
    assert receiver.service.mistakes == []


@pytest.fixture
def receiver(ready: Receiver) -> Receiver:
    ready.taken.clear()
    ready.service.asked.clear()
    ready.reply = Reply(b"", 204)
    return ready


@pytest.fixture(scope="module")
def alerter(ca_file: str) -> WebhookAlerter:
    return WebhookAlerter(CLOCK, allowed=LOOPBACK, ca_file=Path(ca_file), timeout_s=10)


@contextmanager
def server_of(server: BaseWSGIServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield
    server.shutdown()
    thread.join(5)
    server.server_close()


def alert(url: str, *secrets: str, number: int = 1) -> Alert:
    return Alert(
        f"inc-1:confirmed/provider:{number}",
        url,
        MESSAGE,
        f"<alert.{number}.1@alerts.example.net>",
        owed_at=OWED,
        secrets=secrets or (NEW,),
    )


def test_a_delivery_is_verified_by_its_signature(
    receiver: Receiver, alerter: WebhookAlerter
) -> None:
    assert alerter.tell(alert(receiver.url)) == "204"
    assert list(receiver.taken.values()) == [
        {
            "type": "incident.confirmed",
            "timestamp": "2026-03-02T08:00:00+00:00",
            "data": {"incident": "inc-1"},
        }
    ]


def test_the_same_alert_has_the_same_id_and_body_at_every_attempt(
    receiver: Receiver, alerter: WebhookAlerter
) -> None:
    for _ in range(2):
        alerter.tell(alert(receiver.url))
    first, second = receiver.service.asked
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert (first.body, len(receiver.taken)) == (second.body, 1)
    assert "." not in first.headers["webhook-id"]
    assert delivery_id("<alert.1.1@a.example>") != delivery_id("<alert.1.2@a.example>")


@pytest.mark.parametrize("secrets", [(NEW, OTHER), (OTHER, NEW)])
def test_while_secrets_rotate_the_old_and_the_new_one_verify(
    receiver: Receiver, alerter: WebhookAlerter, secrets: tuple[str, ...]
) -> None:
    assert alerter.tell(alert(receiver.url, *secrets)) == "204"


def test_another_secret_does_not_verify(receiver: Receiver, alerter: WebhookAlerter) -> None:
    with pytest.raises(AgainLaterError, match="answered 400 No matching signature found"):
        alerter.tell(alert(receiver.url, OTHER))
    assert receiver.taken == {}


@pytest.mark.parametrize("secrets", [("",), ("whsec_",), ("whsec_!",)])
def test_without_a_secret_nothing_is_sent(
    receiver: Receiver, alerter: WebhookAlerter, secrets: tuple[str, ...]
) -> None:
    owed = replace(alert(receiver.url), secrets=secrets)
    with pytest.raises(PersonNeededError, match="no secret to sign with"):
        alerter.tell(owed)
    assert receiver.service.asked == []


def test_what_has_no_form_for_machines_goes_as_text(
    receiver: Receiver, alerter: WebhookAlerter
) -> None:
    hostile = Message("Sub\r\nject: <b>", "täxt", event="a\r\nb: c")
    alerter.tell(replace(alert(receiver.url), message=hostile))
    (told,) = receiver.taken.values()
    assert told["data"] == {"subject": "Sub\r\nject: <b>", "text": "täxt"}
    assert told["type"] == "a\r\nb: c"
    assert receiver.service.asked[0].body.isascii()


@pytest.mark.parametrize(
    ("reply", "kind", "says"),
    [
        (Reply(b"no\r\nsuch\x1b[1m thing", 404), AgainLaterError, "answered 404 no such [1m thing"),
        (Reply(b"", 500), AgainLaterError, "answered 500"),
        (Reply(b"x" * 5000, 429), AgainLaterError, "x…"),
        (Reply(b"", 410), PersonNeededError, "is gone (410)"),
    ],
)
def test_a_refusal_says_whether_to_try_again(
    receiver: Receiver, alerter: WebhookAlerter, reply: Reply, kind: type[SeedwatchError], says: str
) -> None:
    receiver.reply = reply
    with pytest.raises(kind) as caught:
        alerter.tell(alert(receiver.url))
    assert says in str(caught.value)
    assert len(str(caught.value)) < 300
    assert "secret" not in str(caught.value)


def test_a_receiver_says_when_to_come_back(receiver: Receiver, alerter: WebhookAlerter) -> None:
    receiver.reply = Reply(b"", 503, {"Retry-After": "90"})
    with pytest.raises(AgainLaterError) as caught:
        alerter.tell(alert(receiver.url))
    assert caught.value.retry_after == timedelta(seconds=90)


@pytest.mark.parametrize(
    ("location", "named"),
    [
        ("http://169.254.169.254/latest/meta-data/secret", "169.254.169.254"),
        ("//localhost:22/", "localhost"),
        ("/login", "127.0.0.1"),
        ("http://[", "no web address"),
        ("file:///etc/passwd", "no web address"),
    ],
)
def test_a_redirect_is_named_and_not_followed(
    receiver: Receiver, alerter: WebhookAlerter, location: str, named: str
) -> None:
    receiver.reply = Reply(b"", 307, {"Location": location})
    with pytest.raises(PersonNeededError) as caught:
        alerter.tell(alert(receiver.url))
    assert f"{named} (307)" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert len(receiver.service.asked) == 1


def test_this_machine_is_not_asked_unless_it_is_allowed(receiver: Receiver) -> None:
    with pytest.raises(PersonNeededError, match=r"public internet.*\[alerts\] allow_private"):
        WebhookAlerter(CLOCK).tell(alert(receiver.url))
    elsewhere = (ipaddress.ip_network("10.0.0.0/8"),)
    with pytest.raises(PersonNeededError, match="public internet"):
        WebhookAlerter(CLOCK, allowed=elsewhere).tell(alert(receiver.url))
    assert receiver.service.asked == []


def test_nobody_learns_which_ports_of_this_machine_are_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/x"
        with pytest.raises(PersonNeededError) as of_open:
            WebhookAlerter(CLOCK).tell(alert(url))
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()
    with pytest.raises(PersonNeededError) as of_shut:
        WebhookAlerter(CLOCK).tell(alert(url))
    assert str(of_open.value) == str(of_shut.value)


def test_a_certificate_of_another_is_no_receiver(receiver: Receiver) -> None:
    with pytest.raises(AgainLaterError, match=r"certificate.*\[alerts\] ca_file"):
        WebhookAlerter(CLOCK, allowed=LOOPBACK, timeout_s=10).tell(alert(receiver.url))
    assert receiver.taken == {}


def test_without_tls_only_a_network_that_is_allowed_is_asked(
    web: Callable[..., Any], answer: Callable[..., bytes], alerter: WebhookAlerter
) -> None:
    server = web({"POST": answer(200, "ok")})
    assert alerter.tell(alert(server.url)) == "200 ok"
    (head,) = server.heads
    assert "whsec" not in head


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://a.example/",
        "https://u:p@a.example/",
        "https://a.example/\r\nX: y",
        "https://[::1",
    ],
)
def test_what_is_no_web_address_is_refused(alerter: WebhookAlerter, url: str) -> None:
    with pytest.raises(PersonNeededError, match="no web address"):
        alerter.tell(alert(url))


def test_a_dead_host_is_tried_again(alerter: WebhookAlerter) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(AgainLaterError, match=r"at 127\.0\.0\.1 cannot be reached"):
        alerter.tell(alert(f"https://127.0.0.1:{port}/x"))


def test_an_answer_without_end_is_cut(serve: Callable[..., Any]) -> None:
    sent = 0

    def talk(connection: socket.socket) -> None:
        nonlocal sent
        connection.recv(10_000)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            sent += connection.send(b"x" * 10_000)

    told = alert(f"http://{serve(talk).endpoint}/")
    assert WebhookAlerter(CLOCK, allowed=LOOPBACK).tell(told).startswith("200 xxx")
    assert sent < 20_000_000


def test_an_answer_that_drips_is_cut(serve: Callable[..., Any]) -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-")
        connection.settimeout(0.05)
        while True:
            connection.sendall(b"x")
            try:
                if not connection.recv(1000):
                    return
            except TimeoutError:
                continue

    slow = WebhookAlerter(CLOCK, allowed=LOOPBACK, timeout_s=0.3)
    with pytest.raises(AgainLaterError, match="no answer in time"):
        slow.tell(alert(f"http://{serve(talk).endpoint}/"))


def test_secrets_are_not_shown() -> None:
    owed = alert("https://a.example/", NEW)
    assert NEW not in repr(owed)
    assert json.dumps(str(owed)).count("whsec") == 0


def test_the_receiver_in_the_documentation_takes_a_delivery_once(
    alerter: WebhookAlerter, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text("utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    monkeypatch.setenv("SEEDWATCH_SECRET", NEW)
    names: dict[str, Any] = {"__name__": "receiver"}
    exec(example, names)
    server = make_server("127.0.0.1", 0, names["app"])
    with server_of(server):
        url = f"http://127.0.0.1:{server.server_port}/seedwatch"
        assert [alerter.tell(alert(url)) for _ in range(2)] == ["204", "204"]
        with pytest.raises(AgainLaterError, match="400 not signed by us"):
            alerter.tell(alert(url, OTHER))
    assert capsys.readouterr().out == "incident.confirmed {'incident': 'inc-1'}\n"
