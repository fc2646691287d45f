"""Our own mail is what bulk senders must send, and shows in every mail program."""

import re
from collections.abc import Iterator
from dataclasses import replace
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser

import pytest

from monitor.alerts.email import EmailAlerter
from monitor.core.errors import BadInputError
from monitor.core.incidents import State
from monitor.core.ports import Alert, Image, Message
from monitor.core.routes import Audience
from tests.edges.test_alert_words import told
from tests.edges.test_email_alert import CLOCK, SENDER, UNTIL, Outbox

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8
CLIPPED_AT = 102 * 1024  # Gmail shows no more of a message
LEAVE = "https://watch.example/l/unsubscribe/abc"

MESSAGES = {
    "sender": told(),
    "marketer": told(audience=Audience.MARKETER),
    "esp": told(audience=Audience.ESP),
    "reminder": told(SENDER, news="reminder"),
    "recovered": told(replace(SENDER, state=State.CLOSED, until=UNTIL)),
}
DIGEST = Message(
    "Your week", "text", "<p><img src='cid:chart'></p>", images=(Image("chart", PNG),),
    unsubscribe_url=LEAVE, files={"digest.json": '{"ü": 1}'},
)  # fmt: skip


def raw(message: Message) -> bytes:
    outbox = Outbox()
    one = Alert("digest:1", "ops@a.example", message, "<alert.2@watch.example>")
    EmailAlerter(outbox, "alerts@watch.example", CLOCK).tell(one)
    return outbox.letters[0].raw


def parsed(message: Message) -> EmailMessage:
    made = message_from_bytes(raw(message), policy=default)
    assert isinstance(made, EmailMessage)
    return made


def shape(part: EmailMessage) -> object:
    if not part.is_multipart():
        return part.get_content_type()
    return {part.get_content_type(): [shape(inner) for inner in part.iter_parts()]}


def test_pictures_stand_beside_the_html_and_documents_beside_all() -> None:
    assert shape(parsed(DIGEST)) == {
        "multipart/mixed": [
            {
                "multipart/alternative": [
                    "text/plain",
                    {"multipart/related": ["text/html", "image/png"]},
                ]
            },
            "application/json",
        ]
    }


def test_pictures_and_documents_arrive_as_they_were() -> None:
    parts = {part.get_content_type(): part for part in parsed(DIGEST).walk()}
    assert parts["image/png"].get_content() == PNG
    assert parts["image/png"]["Content-ID"] == "<chart>"
    assert parts["application/json"].get_content().decode() == '{"ü": 1}'
    assert parts["application/json"].get_filename() == "digest.json"


def test_a_digest_can_be_left_by_one_click() -> None:
    made = parsed(DIGEST)
    assert made["List-Unsubscribe"] == f"<{LEAVE}>"
    assert made["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_one_click_is_promised_over_https_only() -> None:
    made = parsed(replace(DIGEST, unsubscribe_url=LEAVE.replace("https", "http")))
    assert made["List-Unsubscribe"] is not None
    assert made["List-Unsubscribe-Post"] is None


@pytest.mark.parametrize(
    "change",
    [
        {"unsubscribe_url": "https://a.example/\r\nBcc: x@y.example"},
        {"unsubscribe_url": "https://a.example/>, <https://b.example/"},
        {"unsubscribe_url": "javascript:alert(1)"},
        {"files": {'a"\r\nX: y': "{}"}},
        {"images": (Image("../a b", PNG),)},
    ],
)
def test_nothing_breaks_out_of_a_header(change: dict[str, object]) -> None:
    with pytest.raises(BadInputError):
        raw(replace(DIGEST, **change))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [*MESSAGES, "digest"])
def test_a_mail_of_ours_is_what_large_providers_ask_of_senders(name: str) -> None:
    """RFC 5322, and what Gmail, Yahoo and Outlook.com ask of bulk senders."""
    message = MESSAGES.get(name, DIGEST)
    data = raw(message)
    head, _, _ = data.partition(b"\r\n\r\n")
    made = parsed(message)
    assert head.isascii()
    assert len(data) < CLIPPED_AT
    assert all(len(one) <= 998 for one in data.split(b"\r\n"))
    assert b"\n" not in data.replace(b"\r\n", b"")
    for field in ("From", "To", "Date", "Message-ID", "Subject", "MIME-Version"):
        assert len(made.get_all(field, [])) == 1, field
    assert made["From"].addresses[0].domain == "watch.example"
    assert made.defects == []
    assert made.get_body(("plain",)) is not None


# Outlook for Windows shows mail by Word: what it does with CSS, by caniemail.com and Campaign
# Monitor's guide. What is not listed here, a mail of ours may not rest on.
WORD_KNOWS = {
    "background-color", "border", "border-bottom", "border-collapse", "border-color", "border-top",
    "color", "font-family", "font-size", "font-weight", "height", "line-height", "margin",
    "text-align", "text-decoration", "vertical-align", "width",
}  # fmt: skip
WORD_PADS = {"td", "th", "table", "ul", "body"}  # of others, it leaves the padding out
HARMLESS = {"max-width", "color-scheme", "supported-color-schemes"}  # left out, and not missed


class Styles(HTMLParser):
    """Collects each element with its style, and what must not stand in a mail."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.comments: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        for declaration in (dict(attrs).get("style") or "").split(";"):
            if declaration.strip():
                self.found.append((tag, declaration.partition(":")[0].strip()))

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def read(html: str) -> Styles:
    parser = Styles()
    parser.feed(html)
    return parser


def unsupported(styles: Styles) -> Iterator[tuple[str, str]]:
    for tag, rule in styles.found:
        if rule.startswith("padding"):
            if tag not in WORD_PADS:
                yield tag, rule
        elif rule not in WORD_KNOWS | HARMLESS:
            yield tag, rule


@pytest.mark.parametrize("name", [n for n, message in MESSAGES.items() if message.html])
def test_outlook_understands_every_rule_that_a_mail_rests_on(name: str) -> None:
    styles = read(MESSAGES[name].html)
    assert len(styles.found) > 50  # they are in the elements
    assert list(unsupported(styles)) == []
    assert any('width="640"' in comment for comment in styles.comments)  # for `max-width`


@pytest.mark.parametrize("name", [n for n, message in MESSAGES.items() if message.html])
def test_a_mail_loads_nothing_and_keeps_its_dark_colours(name: str) -> None:
    html = MESSAGES[name].html
    styles = read(html)
    names = {tag for tag, _ in styles.tags}
    assert not names & {"script", "link", "iframe", "form", "svg", "object", "video"}
    assert [
        a for t, a in styles.tags if t == "img" and not str(a.get("src")).startswith("cid:")
    ] == []
    assert "@media (prefers-color-scheme: dark)" in html
    assert '<meta name="color-scheme" content="light dark">' in html
    tables = [a for t, a in styles.tags if t == "table" and "table" not in str(a.get("class"))]
    assert all(attrs.get("role") == "presentation" for attrs in tables)
    assert re.search(r"url\(|@import|@font-face", html) is None
