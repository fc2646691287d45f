"""The lab ends quietly, whoever is connected at that moment."""

import http.client
import logging
import smtplib
import socket
from urllib.parse import urlsplit

import pytest

from monitor.core.clock import ManualClock
from monitor.lab.lab import Lab
from monitor.lab.scenario import Scenario
from tests.lab.letters import PASSWORD

ADDRESS = "seed@corporate.lab.example"


def imap_client(lab: Lab, *commands: str) -> socket.socket:
    """Connect, say *commands*, and stay."""
    where = lab.providers["corporate"].imap
    client = socket.create_connection((where.host, where.port), timeout=10)
    with client.makefile("rb") as answers:
        answers.readline()
        for command in commands:
            client.sendall(f"a {command}\r\n".encode())
            while not answers.readline().startswith((b"a ", b"+ ")):
                pass
    return client


def http_client(lab: Lab) -> http.client.HTTPConnection:
    """Ask for a page, and stay."""
    client = http.client.HTTPConnection(urlsplit(lab.api_url).netloc, timeout=10)
    client.request("GET", "/nothing")
    client.getresponse().read()
    return client


def smtp_client(lab: Lab) -> smtplib.SMTP:
    """Begin a letter, and stay."""
    where = lab.providers["corporate"].smtp
    client = smtplib.SMTP(where.host, where.port, timeout=10)
    client.ehlo("mta.brand.example")
    client.mail("bounces@brand.example")
    return client


def test_the_lab_ends_quietly_while_clients_are_connected(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    login = f'LOGIN {ADDRESS} "{PASSWORD}"'
    with Lab(Scenario.bundled("quiet"), clock=clock, seed=1) as lab:
        lab.add_mailbox(ADDRESS, PASSWORD)
        clients = [
            imap_client(lab),
            imap_client(lab, login),
            imap_client(lab, login, "SELECT INBOX", "IDLE"),
            http_client(lab),
            smtp_client(lab),
        ]

    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING] == []
    for client in clients:
        client.close()
