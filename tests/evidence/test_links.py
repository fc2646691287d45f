"""Links and features: found in text and HTML, whatever the message is made of."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.campaigns import Campaign
from monitor.evidence import links
from monitor.evidence.features import features

MIXED = b"""\
Content-Type: multipart/alternative; boundary=b\r
\r
--b\r
Content-Type: text/plain; charset=utf-8\r
Content-Transfer-Encoding: quoted-printable\r
\r
See https://shop.example.com/a?x=3D1, or (http://lnk.example.net/go).\r
--b\r
Content-Type: text/html; charset=utf-8\r
Content-Transfer-Encoding: base64\r
\r
PGEgaHJlZj0iaHR0cHM6Ly9zaG9wLmV4YW1wbGUuY29tL2E/eD0xJmFtcDt5PTIiPmE8L2E+\r
--b--\r
"""


def test_links_are_found_in_every_text_part() -> None:
    assert links.links(MIXED, 10) == [
        "https://shop.example.com/a?x=1",
        "http://lnk.example.net/go",
        "https://shop.example.com/a?x=1&y=2",
    ]


def test_no_more_links_than_asked_for() -> None:
    assert links.links(MIXED, 2) == ["https://shop.example.com/a?x=1", "http://lnk.example.net/go"]


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<A HREF='https://a.example/1'>x</A>", ["https://a.example/1"]),
        ("<a class=b href=https://a.example/1>x</a>", ["https://a.example/1"]),
        ('<area href="https://a.example/?a=1&amp;b=2"/>', ["https://a.example/?a=1&b=2"]),
        ('<a\nhref="\n https://a.example/ ">x</a>', ["https://a.example/"]),
        ('<!--[if mso]><a href="https://a.example/">x</a><![endif]-->', ["https://a.example/"]),
        ('<a href="mailto:x@a.example">x</a><a href="javascript:x">y</a>', []),
        ('<a name="x">x</a><abbr href="https://a.example/">', []),
        ("<a href=", []),
    ],
)
def test_the_targets_of_html_links(html: str, expected: list[str]) -> None:
    assert list(links.in_html(html)) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://www.Shop.Example.com:443/x", "shop.example.com"),
        ("https://user:secret@lnk.example.net/", "lnk.example.net"),
        ("https://b\u00fccher.example/", "xn--bcher-kva.example"),
        ("https://[::1]/", "::1"),
        ("https://[broken/", ""),
        ("https:///path", ""),
        ("https://" + "\u00fc" * 300 + ".example", ""),
    ],
)
def test_the_host_of_a_link(url: str, expected: str) -> None:
    assert links.host(url) == expected


def test_features_name_links_and_what_the_mail_is_sent_through() -> None:
    campaign = Campaign(
        name="n",
        from_address="a@shop.example.com",
        from_name="",
        subject="s",
        text="https://www.shop.example.com/ and https://LNK.example.net/x",
        html='<a href="https://lnk.example.net/y">y</a>',
    )

    found = features(
        campaign,
        dkim_domain="Shop.example.com.",
        tracking_domain="t.esp.example",
        ip_prefix="192.0.2.0/24",
        esp="Postwerk",
        attach_types=("pdf", "ICS"),
    )

    assert found == {
        "url:shop.example.com",
        "url:lnk.example.net",
        "track:t.esp.example",
        "dkim:shop.example.com",
        "ip:192.0.2.0/24",
        "esp:postwerk",
        "attach:pdf",
        "attach:ics",
    }


@pytest.mark.parametrize(
    ("mail_from", "expected"),
    [
        ("b-17@bounces.postwerk.example", {"esp:bounces.postwerk.example"}),
        ("bounce@mail.shop.example.com", set()),
        ("bounce@example.com", set()),
        ("", set()),
    ],
)
def test_a_foreign_return_path_stands_for_an_unnamed_esp(
    mail_from: str, expected: set[str]
) -> None:
    campaign = Campaign("n", "a@shop.example.com", "", "s", "hello")

    assert features(campaign, mail_from=mail_from) == expected


def test_a_campaign_without_links_has_no_url_feature() -> None:
    assert features(Campaign("n", "a@b.example", "", "s", "hello")) == frozenset()


def test_a_message_of_containers_within_containers_is_left_alone() -> None:
    part = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"

    assert links.links(part * 20_000 + b"https://a.example/", 10) == []


def test_a_message_of_messages_within_messages_is_left_alone() -> None:
    part = b"Content-Type: message/rfc822\r\n\r\n"

    assert links.links(part * 8_000 + b"https://a.example/", 10) == []


@given(st.binary(max_size=3000))
def test_no_bytes_make_it_raise(raw: bytes) -> None:
    links.links(raw, 10)


@given(st.text(max_size=1000))
def test_no_html_makes_it_raise(html: str) -> None:
    for url in links.in_html(html):
        links.host(url)


@given(st.text(alphabet="<a hreftps:/&#;\"'=x>", max_size=500), st.text(max_size=300))
def test_no_campaign_makes_features_raise(html: str, text: str) -> None:
    features(Campaign("n", "a@b.example", "", "s", f"https://{text}", f"<a href='{html}'>"))


@pytest.mark.parametrize(
    "bit",
    [
        b"<a ",
        b"<a href='",
        b"<",
        b"https://",
        b"<!--",
        b"&#",
        b"=",
        b"\n",
        b"--b\r\n",
        b"<a href=x>",
    ],
)
def test_time_grows_no_faster_than_the_message(bit: bytes) -> None:
    """A message of one megabyte built from any bit is read in seconds, not minutes."""
    head = b"Content-Type: text/html\r\n\r\n"
    started = time.thread_time()

    links.links(head + bit * (1_000_000 // len(bit)), 1000)

    assert time.thread_time() - started < 5
