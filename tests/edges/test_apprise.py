"""Chats and pagers through Apprise: what is sent, and where it is not let out."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from monitor.alerts.apprise import AppriseAlerter, tame
from monitor.alerts.apprise_child import Rules, kind_of
from monitor.core.errors import AgainLaterError, BadInputError, PersonNeededError
from monitor.core.ports import Alert, Message
from monitor.core.routes import Severity
from monitor.guarded import LOOPBACK, NOT_BARE, NOT_PUBLIC

MESSAGE = Message(
    "Mail is lost", "long text", short="Hold mail.\n@everyone", severity=Severity.CRITICAL
)
ALERTER = AppriseAlerter(allowed=LOOPBACK)
SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/"


def alert(url: str) -> Alert:
    return Alert("1", "json://shown", MESSAGE, "<1@a.example>", secrets=(url,))


def test_a_message_goes_out_in_its_short_form(
    web: Callable[..., Any], answer: Callable[..., bytes]
) -> None:
    server = web({"POST": answer(200)})
    assert ALERTER.tell(alert(f"json://{server.host}/secret")) == "taken by json"
    told = json.loads(server.bodies[0])
    assert (told["title"], told["type"]) == ("Mail is lost", "failure")
    assert told["message"] == "Hold mail.\n@\u200beveryone"


def test_a_refusal_and_a_redirect_are_tried_again_and_not_followed(
    web: Callable[..., Any], answer: Callable[..., bytes]
) -> None:
    target = web({"POST": answer(200), "GET": answer(200)})
    server = web({"POST": answer(302, Location=target.url)})
    with pytest.raises(AgainLaterError) as caught:
        ALERTER.tell(alert(f"json://{server.host}/secret"))
    assert str(caught.value) == "json did not take the message."
    assert (len(server.requests), target.requests) == (1, [])


def test_this_machine_is_not_asked_unless_it_is_allowed(
    web: Callable[..., Any], answer: Callable[..., bytes]
) -> None:
    server = web({"POST": answer(200)})
    with pytest.raises(PersonNeededError, match=r"public internet.*allow_private") as caught:
        AppriseAlerter().tell(alert(f"json://{server.host}/secret"))
    assert (server.requests, "secret" in str(caught.value)) == ([], False)


@pytest.mark.parametrize("url", ["", "slack", "json://a\r\nb", "json://" + "x" * 2000])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(BadInputError, match="SERVICE://"):
        ALERTER.check(url)


def test_a_route_without_its_address_is_for_a_person() -> None:
    with pytest.raises(PersonNeededError, match="no address"):
        ALERTER.tell(replace(alert(SLACK), secrets=()))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Apprise's plugins are all loaded
@pytest.mark.parametrize(
    "url",
    [
        "syslog://",
        "dbus://",
        "gnome://",
        "macosx://",
        "windows://",
        "mailto://user:password@gmail.com",
        "rsyslog://127.0.0.1",
        "irc://127.0.0.1/channel",
        "fcm://project@apikey/device",
        "file:///etc/passwd",
        "nosuch://host",
    ],
)
def test_what_is_not_asked_over_http_is_refused(url: str) -> None:
    assert kind_of(url)[1]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("url", [SLACK, "jsons://h/", "ntfys://topic", "discord://1234/abcd"])
def test_services_of_the_web_are_taken(url: str) -> None:
    assert kind_of(url)[1] == ""


@pytest.mark.parametrize(
    ("event", "args"),
    [
        ("socket.connect", (None, ("169.254.169.254", 80))),
        ("socket.connect", (None, ("::ffff:10.0.0.1", 443, 0, 0))),
        ("socket.connect", (None, "/run/docker.sock")),
        ("socket.connect", (None, ("name.example", 80))),
        ("socket.sendto", (None, ("127.0.0.1", 514))),
        ("subprocess.Popen", ("sh", ["sh"], None, None)),
        ("os.system", (b"true",)),
        ("open", ("/etc/passwd", "r", 0)),
        ("open", (b"config.toml", "rb", 0)),
        ("open", (json.__file__, "a", 0)),
        ("open", (json.__file__, None, 1)),
    ],
)
def test_a_plugin_reaches_no_other_server_file_or_program(event: str, args: Any) -> None:
    with pytest.raises(PermissionError):
        Rules(LOOPBACK)(event, args)


def test_a_plugin_may_ask_the_web_and_read_python_s_own_files() -> None:
    rules = Rules(LOOPBACK)
    rules("socket.connect", (None, ("8.8.8.8", 443)))
    rules("socket.connect", (None, ("127.0.0.1", 443)))
    rules("open", (json.__file__, "rb", 0))
    rules("open", (3, "rb", 0))
    assert rules.refused == ""
    rules.is_bare = True
    rules("socket.connect", (None, ("127.0.0.1", 80)))
    with pytest.raises(PermissionError, match=NOT_BARE):
        rules("socket.connect", (None, ("8.8.8.8", 80)))
    with pytest.raises(PermissionError, match=NOT_PUBLIC):
        Rules(())("socket.connect", (None, ("127.0.0.1", 80)))


def test_nobody_s_words_call_a_whole_chat() -> None:
    said = "Hi @everyone, @Here and <!channel> <@U1>: a@b.example <b>"
    assert tame(said) == "Hi @\u200beveryone, @\u200bHere and ‹!channel> ‹@U1>: a@b.example <b>"
