"""Letters and small clients for tests of the lab."""

import imaplib
import smtplib
from collections.abc import Iterator
from contextlib import contextmanager

from monitor.lab.lab import Lab
from monitor.lab.scenario import Scenario, load_scenario

PASSWORD = "a password"
SENDER = "news@brand.example.com"


def letter(
    number: int = 1, *, sender: str = SENDER, link: str = "https://ok.example.com/a"
) -> bytes:
    """One plain letter with one link."""
    return (
        f"From: Brand <{sender}>\r\nTo: you@example.com\r\nSubject: Letter {number}\r\n"
        f"Message-ID: <{number}@brand.example.com>\r\nX-Seedwatch-Test: t{number}\r\n"
        f"\r\nRead {link} now.\r\n"
    ).encode()


def post(lab: Lab, recipient: str, raw: bytes, *, sender: str = SENDER) -> str:
    """Hand *raw* over by SMTP; return "250" or the refusal as code and text."""
    route = lab.smtp_route(recipient.rpartition("@")[2])
    try:
        with smtplib.SMTP(route.host, route.port, local_hostname="mta.brand.example.com") as smtp:
            smtp.sendmail(sender, [recipient], raw)
    except smtplib.SMTPRecipientsRefused as error:
        code, answer = error.recipients[recipient]
        return f"{code} {answer.decode()}"
    except smtplib.SMTPResponseException as error:
        text = error.smtp_error
        return f"{error.smtp_code} {text.decode() if isinstance(text, bytes) else text}"
    return "250"


@contextmanager
def reading(lab: Lab, address: str, password: str = PASSWORD) -> Iterator[imaplib.IMAP4]:
    """An IMAP session of this person."""
    domain = address.rpartition("@")[2]
    provider = next(p for p in lab.providers.values() if p.smtp == lab.smtp_route(domain))
    client = imaplib.IMAP4(provider.imap.host, provider.imap.port)
    try:
        client.login(address, password)
        yield client
    finally:
        try:
            client.logout()
        except imaplib.IMAP4.abort:  # the scenario hung up
            client.shutdown()


def first_in(lab: Lab, address: str, folder: str = "INBOX") -> bytes:
    """The oldest message of a folder, whole; b"" if the folder is empty."""
    with reading(lab, address) as client:
        client.select(f'"{folder}"', readonly=True)
        parts = client.fetch("1:*", "(BODY.PEEK[])")[1]
        return parts[0][1] if isinstance(parts[0], tuple) else b""


def scenario(text: str) -> Scenario:
    return load_scenario(text, name="test")
