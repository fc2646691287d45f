"""Each mail as people see it: on a phone and on a desk, in the light and in the dark."""

import base64
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from monitor.alerts import letters
from monitor.core.ports import Message
from tests.browser.conftest import accessibility_faults, is_wider_than
from tests.edges.test_digest_mail import BODY, NOTHING, digest
from tests.edges.test_email_alert import WATCHED
from tests.edges.test_mail_form import MESSAGES

pytestmark = pytest.mark.real

MAILS: dict[str, Message] = {
    **{name: message for name, message in MESSAGES.items() if message.html},
    "digest": digest(BODY),
    "nothing": digest(NOTHING),
    "confirm": letters.confirm(
        {"asked_by": "ops@b.example"},
        link="https://watch.example/l/confirm/abc",
        recipient="x@a.example",
        office=WATCHED,
    ),
    "trial": letters.trial(recipient="x@a.example", route_id=1, office=WATCHED),
}


def html_of(message: Message) -> str:
    """As a mail program shows it: with the pictures that came along."""
    html = message.html
    for image in message.images:
        data = base64.b64encode(image.png).decode()
        html = html.replace(f"cid:{image.name}", f"data:image/png;base64,{data}")
    return html


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("name", list(MAILS))
def test_a_mail_can_be_read(
    browser: Browser, name: str, width: int, scheme: str, tmp_path: Path
) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    try:
        page.set_content(html_of(MAILS[name]))
        page.screenshot(path=tmp_path / f"{name}-{width}-{scheme}.png", full_page=True)
        assert not is_wider_than(page, width)
        assert accessibility_faults(page) == []
        ground = page.evaluate("getComputedStyle(document.querySelector('.card')).backgroundColor")
        assert ground == {"light": "rgb(255, 255, 255)", "dark": "rgb(28, 34, 41)"}[scheme]
    finally:
        context.close()
