"""Our own mail through Postfix and Rspamd into Dovecot, and read back by IMAP as it was sent."""

import imaplib
import time
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest

from monitor.alerts import letters
from monitor.alerts.email import EmailAlerter
from monitor.core.clock import SystemClock
from monitor.core.ports import Alert, Message
from tests.edges.test_digest_mail import BODY, digest
from tests.edges.test_email_alert import WATCHED
from tests.edges.test_mail_form import MESSAGES
from tests.servers.chain import Chain, chain
from tests.servers.delivery import PASSWORD
from tests.servers.postfix import DOMAIN

pytestmark = pytest.mark.real

WAIT_S = 20.0
MAILS: dict[str, Message] = {
    **MESSAGES,
    "digest": digest(BODY),
    "confirm": letters.confirm(
        {"asked_by": "ops@b.example"}, link="https://w.example/l", recipient="x", office=WATCHED
    ),
}


@pytest.fixture(scope="module")
def mail() -> Iterator[Chain]:
    with chain(["ann"]) as running:
        yield running


def read_back(mail: Chain, message_id: str) -> EmailMessage:
    deadline = time.monotonic() + WAIT_S
    with imaplib.IMAP4(mail.imap.host, mail.imap.port) as imap:
        imap.login("ann", PASSWORD)
        while time.monotonic() < deadline:
            imap.select("INBOX", readonly=True)  # where it must be: in no other folder
            [found] = imap.search(None, "HEADER", "Message-ID", message_id)[1]
            if found:
                [part, *_] = imap.fetch(found.decode(), "(BODY.PEEK[])")[1]
                assert isinstance(part, tuple)
                made = message_from_bytes(part[1], policy=default)
                assert isinstance(made, EmailMessage)
                return made
    raise AssertionError(f"{message_id} is not in the inbox")


def read(made: EmailMessage, kind: str) -> str:
    """One body of a mail, its line ends as Python has them; "" if it has none."""
    part = made.get_body((kind,))
    return "" if part is None else str(part.get_content()).replace("\r\n", "\n").strip()


@pytest.mark.parametrize("name", list(MAILS))
def test_a_mail_passes_a_filter_and_arrives_as_it_was_written(mail: Chain, name: str) -> None:
    message = MAILS[name]
    message_id = f"<alert.{name}@{DOMAIN}>"
    alerter = EmailAlerter(mail.transport(), f"alerts@{DOMAIN}", SystemClock())

    alerter.tell(Alert(name, f"ann@{DOMAIN}", message, message_id, "<alert.first@w.example>"))
    made = read_back(mail, message_id)

    assert made.defects == []
    assert made["Subject"] == message.subject
    assert made["In-Reply-To"] == "<alert.first@w.example>"
    assert read(made, "plain") == message.text.strip()
    assert read(made, "html") == message.html.strip()
    pictures = [p.get_content() for p in made.walk() if p.get_content_type() == "image/png"]
    assert pictures == [image.png for image in message.images]
