"""Rewritten links: in the delivered copy, and what a click on them finds."""

from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from monitor.core.clock import ManualClock
from monitor.lab.lab import Lab
from monitor.lab.links import rewrite
from tests.lab.letters import PASSWORD, first_in, post, scenario

ADDRESS = "seed@m365.lab.example"
API = "http://127.0.0.1:9"
RULES = """
[[rule]]
action = "rewrite_links"
provider = "microsoft365"
[[rule]]
action = "block_link"
provider = "microsoft365"
url_domain = "lnk.example.net"
"""


def both_parts() -> EmailMessage:
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = "news@brand.example.com"
    message["Message-ID"] = "<1@brand.example.com>"
    message.set_content("Grüße: https://lnk.example.net/a?b=1&c=2\n")
    html = '<a href="https://lnk.example.net/a?b=1&amp;c=2">Grüße</a>'
    message.add_alternative(html, subtype="html")
    message.add_attachment(b"https://lnk.example.net/a", maintype="application", subtype="pdf")
    return message


def test_links_of_text_and_html_are_rewritten_and_nothing_else() -> None:
    message = message_from_bytes(rewrite(both_parts().as_bytes(), API), policy=policy.default)

    target = f"{API}/safelinks?url=https%3A%2F%2Flnk.example.net%2Fa%3Fb%3D1%26c%3D2"
    text, html, attachment = (
        part.get_content() for part in message.walk() if not part.is_multipart()
    )
    assert text.strip() == f"Grüße: {target}"
    assert html.strip() == f'<a href="{target}">Grüße</a>'
    assert attachment == b"https://lnk.example.net/a"
    assert message["Message-ID"] == "<1@brand.example.com>"


def test_mail_without_links_is_delivered_as_it_came() -> None:
    raw = b"Subject: x\r\n\r\nno link here\r\n"

    assert rewrite(raw, API) == raw


@given(st.binary(max_size=300))
def test_no_message_breaks_the_rewriting(junk: bytes) -> None:
    raw = b"Content-Type: text/html; charset=x-unknown\r\n\r\nhttps://a.example/" + junk

    assert isinstance(rewrite(raw, API), bytes)
    assert isinstance(rewrite(junk, API), bytes)


def links_of(raw: bytes) -> list[str]:
    body = message_from_bytes(raw, policy=policy.default).get_body(("plain",))
    assert body is not None
    return [word for word in body.get_content().split() if word.startswith("http")]


def test_a_click_leads_to_a_verdict_or_on_to_the_target(clock: ManualClock) -> None:
    with Lab(scenario(RULES), clock=clock, seed=1) as lab:
        lab.add_mailbox(ADDRESS, PASSWORD)
        post(lab, ADDRESS, both_parts().as_bytes())
        (link,) = links_of(first_in(lab, ADDRESS))
        with requests.Session() as session:
            blocked = session.get(link, allow_redirects=False, timeout=5)
            free = session.get(link.replace("lnk.", "ok."), allow_redirects=False, timeout=5)

    assert link.startswith(lab.api_url + "/safelinks?url=")
    assert (blocked.status_code, "blocked" in blocked.text) == (200, True)
    assert (free.status_code, free.headers["Location"]) == (
        302,
        "https://ok.example.net/a?b=1&c=2",
    )


@pytest.mark.parametrize(
    "query", ["", "?url=", "?url=javascript:alert(1)", "?url=https://[x", "?url=http://a%0d%0ab"]
)
def test_what_is_no_link_is_not_followed(lab: Lab, query: str) -> None:
    answer = requests.get(f"{lab.api_url}/safelinks{query}", allow_redirects=False, timeout=5)

    assert (answer.status_code, "Location" in answer.headers) == (400, False)


def test_a_link_cannot_write_into_the_verdict_page(clock: ManualClock) -> None:
    with Lab(scenario(RULES), clock=clock, seed=1) as lab:
        answer = requests.get(
            f"{lab.api_url}/safelinks",
            params={"url": "https://lnk.example.net/<script>"},
            timeout=5,
        )

    assert "<script>" not in answer.text
