"""Composing a copy: readable by any parser, safe against its own author."""

from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.campaigns import Campaign, Letter
from monitor.core.errors import BadInputError
from monitor.evidence.compose import compose

NEWS = Campaign(
    name="March news",
    from_address="news@shop.example.com",
    from_name="The Shop",
    subject="What is new in March",
    text="Hello,\n\nread on: https://www.shop.example.com/march\n",
    html='<p>Hello,</p><p><a href="https://www.shop.example.com/march">read on</a></p>',
)
DATE = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def copy(campaign: Campaign, **changes: str) -> Letter:
    return compose(
        campaign,
        recipient=changes.get("recipient", "seed1@gmail.lab"),
        message_id=changes.get("message_id", "<a1@shop.example.com>"),
        token=changes.get("token", "k7k7"),
        mail_from=changes.get("mail_from", "bounce@shop.example.com"),
        date=DATE,
    )


def parsed(letter: Letter) -> EmailMessage:
    message = message_from_bytes(letter.raw, policy=default)
    assert isinstance(message, EmailMessage)
    assert message.defects == []
    return message


def part(message: EmailMessage, kind: str) -> str:
    body = message.get_body((kind,))
    assert body is not None
    content = body.get_content()
    assert isinstance(content, str)
    return content.replace("\r\n", "\n")


def test_a_copy_says_what_its_campaign_says() -> None:
    message = parsed(copy(NEWS))

    assert message["From"] == "The Shop <news@shop.example.com>"
    assert message["To"] == "seed1@gmail.lab"
    assert message["Subject"] == NEWS.subject
    assert message["Date"].datetime == DATE
    assert message["Message-ID"] == "<a1@shop.example.com>"
    assert message["X-Seedwatch-Test"] == "k7k7"
    assert part(message, "plain") == NEWS.text
    assert part(message, "html").strip() == NEWS.html


def test_the_letter_carries_the_envelope() -> None:
    letter = copy(NEWS)

    assert letter.mail_from == "bounce@shop.example.com"
    assert letter.recipient == "seed1@gmail.lab"
    assert letter.message_id == "<a1@shop.example.com>"


def test_copies_differ_in_recipient_and_message_id_only() -> None:
    one = copy(NEWS).raw
    other = copy(NEWS, recipient="seed2@gmail.lab", message_id="<b2@shop.example.com>").raw

    changed = other.replace(b"seed2@gmail.lab", b"seed1@gmail.lab").replace(
        b"<b2@shop.example.com>", b"<a1@shop.example.com>"
    )
    assert changed == one


@pytest.mark.parametrize("subject", ["x\r\nBcc: y@example.com", "x\ny", "x\ry", "x\0y", "x\x1b[2J"])
def test_a_subject_that_breaks_its_line_is_refused(subject: str) -> None:
    with pytest.raises(BadInputError) as refused:
        copy(replace(NEWS, subject=subject))

    assert refused.value.field == "subject"


def test_a_name_that_breaks_its_line_is_refused() -> None:
    with pytest.raises(BadInputError) as refused:
        copy(replace(NEWS, from_name="Shop\r\nX-Evil: 1"))

    assert refused.value.field == "from_name"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("recipient", "seed"),
        ("recipient", "seed@x.lab\r\nRCPT TO:<y@example.com>"),
        ("recipient", "a b@x.lab"),
        ("recipient", "größe@x.lab"),
        ("mail_from", "<bounce@x.lab>"),
        ("message_id", "a1@shop.example.com"),
        ("message_id", "<a1@shop.example.com>\r\nX: y"),
        ("token", "a\nb"),
    ],
)
def test_a_bad_argument_is_named(field: str, value: str) -> None:
    with pytest.raises(BadInputError) as refused:
        copy(NEWS, **{field: value})

    assert refused.value.field == field


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("X-Job", "a\r\nBcc: y@example.com", "line break"),
        ("X-Job", "a" * 901, "fits no line"),
        ("X-Job", "größe\n", "line break"),
        ("X Job", "a", "cannot name a header"),
        ("X-Job:", "a", "cannot name a header"),
        ("Message-ID", "<x@y>", "set by Seedwatch"),
        ("content-type", "text/plain", "set by Seedwatch"),
    ],
)
def test_a_campaign_header_that_cannot_stand_is_refused(
    name: str, value: str, problem: str
) -> None:
    with pytest.raises(BadInputError) as refused:
        copy(replace(NEWS, headers=((name, value),)))

    assert refused.value.field == f"headers.{name}"
    assert problem in str(refused.value)


def test_an_empty_campaign_is_refused() -> None:
    with pytest.raises(BadInputError) as refused:
        copy(replace(NEWS, text="", html=""))

    assert refused.value.field == "text"


def test_a_campaign_without_html_is_plain_text() -> None:
    message = parsed(copy(replace(NEWS, html="")))

    assert message.get_content_type() == "text/plain"
    assert part(message, "plain") == NEWS.text


def test_a_campaign_without_text_is_html() -> None:
    assert parsed(copy(replace(NEWS, text=""))).get_content_type() == "text/html"


def test_an_international_domain_is_written_in_ascii() -> None:
    letter = copy(NEWS, recipient="seed@bücher.example")

    assert letter.recipient == "seed@xn--bcher-kva.example"
    assert parsed(letter)["To"] == "seed@xn--bcher-kva.example"


def test_one_click_unsubscribe_is_completed() -> None:
    """RFC 8058 wants both fields; a campaign need only know its address."""
    target = ("List-Unsubscribe", "<https://shop.example.com/u/1>, <mailto:u@shop.example.com>")
    message = parsed(copy(replace(NEWS, headers=(target,))))

    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_a_long_unsubscribe_address_is_left_as_it_is() -> None:
    """Encoded or broken, no mail program would know it for one."""
    address = f"<https://shop.example.com/{'u' * 300}>"
    value = f"{address}, <mailto:u@shop.example.com>"
    letter = copy(replace(NEWS, headers=(("List-Unsubscribe", value),)))

    expected = f"List-Unsubscribe: {address},\r\n <mailto:u@shop.example.com>\r\n"
    assert expected.encode() in letter.raw


def test_what_looks_encoded_already_is_shown_as_it_was_written() -> None:
    subject = "=?utf-8?q?not_this?= twice"

    assert parsed(copy(replace(NEWS, subject=subject)))["Subject"] == subject


def test_unsubscribing_by_mail_only_is_left_as_it_is() -> None:
    target = ("List-Unsubscribe", "<mailto:u@shop.example.com>")

    assert parsed(copy(replace(NEWS, headers=(target,))))["List-Unsubscribe-Post"] is None


def test_a_long_message_id_stays_whole() -> None:
    long_id = f"<{'a' * 36}@{'news.' * 30}example.com>"

    assert f"Message-ID: {long_id}\r\n".encode() in copy(NEWS, message_id=long_id).raw


NAMES = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=120
).map(lambda text: " ".join(text.split()))


@given(subject=NAMES, name=NAMES)
def test_any_words_come_back_as_they_went_in(subject: str, name: str) -> None:
    raw = copy(replace(NEWS, subject=subject, from_name=name)).raw
    message = message_from_bytes(raw)

    assert str(make_header(decode_header(message["Subject"]))).split() == subject.split()
    assert parsed(Letter("", "", "", raw))["From"].addresses[0].addr_spec == NEWS.from_address


@given(text=st.text(max_size=3000), html=st.text(max_size=3000), subject=NAMES)
def test_every_line_is_short_ascii_and_ends_with_crlf(text: str, html: str, subject: str) -> None:
    raw = copy(replace(NEWS, text=text or "x", html=html, subject=subject)).raw

    assert raw.isascii()
    assert raw.endswith(b"\r\n")
    lines = raw.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert not any(b"\r" in line or b"\n" in line for line in lines)


@given(text=st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1))
def test_any_text_survives_the_transfer_encoding(text: str) -> None:
    content = parsed(copy(replace(NEWS, text=text, html=""))).get_content()

    assert content.rstrip() == text.rstrip()
