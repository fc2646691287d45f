"""The lab as a whole: it starts, runs by its clock, repeats itself exactly, and leaves nothing."""

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from random import Random

import pytest

from monitor.core.clock import ManualClock, SystemClock
from monitor.core.errors import BadInputError, NotFoundError
from monitor.core.seeds import Endpoint, Security
from monitor.lab.lab import Lab
from monitor.lab.scenario import Scenario
from tests.lab.bare_imap import BareImap
from tests.lab.letters import PASSWORD, first_in, letter, post, reading, scenario

IDS = [
    "gmail",
    "google_workspace",
    "outlook",
    "microsoft365",
    "yahoo",
    "icloud",
    "gmx",
    "corporate",
]
CHANCE = """
[[rule]]
action = "spam"
fraction = 0.3
[[rule]]
action = "drop"
fraction = 0.2
[[rule]]
action = "zap"
fraction = 0.4
delay = "1h"
spread = "2h"
[[rule]]
action = "delay"
fraction = 0.3
delay = "1h"
spread = "3h"
"""


def test_eight_providers_listen_on_loopback(lab: Lab) -> None:
    assert list(lab.providers) == IDS
    for provider in lab.providers.values():
        assert (provider.smtp.host, provider.smtp.security) == ("127.0.0.1", Security.PLAIN)
        assert lab.smtp_route(provider.domain) == provider.smtp


def test_a_letter_goes_in_by_smtp_and_comes_out_by_imap_everywhere(lab: Lab) -> None:
    for provider in lab.providers.values():
        lab.add_mailbox(address := f"Seed@{provider.domain}", PASSWORD)

        assert post(lab, address, letter()) == "250"
        raw = first_in(lab, address.lower())
        assert raw.endswith(letter())
        assert b"Received: from mta.brand.example.com " in raw


def test_further_domains_are_hosted_where_they_are_put(lab: Lab) -> None:
    lab.add_domain("Acme.example", "microsoft365")
    lab.add_mailbox("boss@acme.example", PASSWORD)
    post(lab, "boss@acme.example", letter())

    assert lab.smtp_route("acme.example") == lab.providers["microsoft365"].smtp
    assert b"X-Forefront-Antispam-Report: " in first_in(lab, "boss@acme.example")


def test_what_the_lab_does_not_have_is_named(lab: Lab) -> None:
    with pytest.raises(BadInputError, match=r"exampel.*Did you mean 'gmail"):
        lab.add_mailbox("seed@gmail.lab.exampel", PASSWORD)
    with pytest.raises(BadInputError, match="gmial"):
        lab.add_domain("x.example", "gmial")
    with pytest.raises(NotFoundError, match="nowhere"):
        lab.smtp_route("nowhere.example")
    with pytest.raises(NotFoundError, match="no folder INBOX of nobody"):
        lab.fill("nobody@gmail.lab.example", 3)


def test_a_password_can_be_changed_and_the_mail_stays(lab: Lab) -> None:
    address = "seed@gmx.lab.example"
    lab.add_mailbox(address, "old")
    post(lab, address, letter())
    lab.add_mailbox(address, PASSWORD)

    assert b"Letter 1" in first_in(lab, address)


def test_stopping_closes_every_port_and_ends_the_thread(clock: ManualClock) -> None:
    before = threading.active_count()
    with Lab(Scenario.bundled("quiet"), clock=clock, seed=1) as lab:
        ports = [e.port for p in lab.providers.values() for e in (p.smtp, p.imap)]
        clients = [BareImap(p.imap.port) for p in lab.providers.values()]
        clients.append(BareImap(lab.providers["gmail"].smtp.port))

    for client in clients:
        with client:
            assert client.line() == b""
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)
    assert threading.active_count() == before


def test_a_lab_can_be_started_again_with_its_mail(clock: ManualClock) -> None:
    lab = Lab(Scenario.bundled("quiet"), clock=clock, seed=1)
    lab.add_mailbox("seed@gmail.lab.example", PASSWORD)
    with lab:
        post(lab, "seed@gmail.lab.example", letter())
    with lab:
        assert b"Letter 1" in first_in(lab, "seed@gmail.lab.example")


def test_a_lab_runs_by_the_wall_clock_too() -> None:
    with Lab(Scenario.bundled("mo255463"), clock=SystemClock(), seed=1) as lab:
        lab.add_mailbox("seed@outlook.lab.example", PASSWORD)

        assert post(lab, "seed@outlook.lab.example", letter()) == "250"


def test_the_next_event_is_where_a_driven_clock_may_jump(clock: ManualClock) -> None:
    rules = '[[rule]]\naction = "delay"\ndelay = "20m"\nuntil = "5h"\n'
    start = clock.now()
    with Lab(scenario(rules), clock=clock, seed=1) as lab:
        lab.add_mailbox("seed@gmx.lab.example", PASSWORD)
        moments = [lab.next_event_at()]
        post(lab, "seed@gmx.lab.example", letter())
        moments.append(lab.next_event_at())
        clock.set(moments[-1] or start)
        assert len(lab.flags("seed@gmx.lab.example", "INBOX")) == 1
        moments.append(lab.next_event_at())
        clock.set(moments[-1] or start)
        moments.append(lab.next_event_at())

    five_hours = start + timedelta(hours=5)
    assert moments == [five_hours, start + timedelta(minutes=20), five_hours, None]


def outcome(start: datetime, *, seed: int, order: int, threads: int) -> list[object]:
    """Send the same letters in an order of their own; say where they lie hour by hour."""
    clock = ManualClock(start)
    with Lab(scenario(CHANCE), clock=clock, seed=seed) as lab:
        addresses = [f"seed{n}@{p.domain}" for p in lab.providers.values() for n in range(2)]
        for address in addresses:
            lab.add_mailbox(address, PASSWORD)
        jobs = [(address, number) for address in addresses for number in range(4)]
        Random(order).shuffle(jobs)
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda job: post(lab, job[0], letter(job[1])), jobs))
        story: list[object] = []
        for _ in range(6):
            story += [sorted(lab.places(f"<{n}@brand.example.com>")) for n in range(4)]
            clock.sleep(timedelta(hours=1))
        return story


def test_the_same_seed_tells_the_same_story_in_any_order(clock: ManualClock) -> None:
    first = outcome(clock.now(), seed=1, order=1, threads=1)
    again = outcome(clock.now(), seed=1, order=2, threads=8)
    other = outcome(clock.now(), seed=2, order=1, threads=1)

    assert first == again
    assert first != other


def test_filled_folders_hold_other_people_s_mail(lab: Lab, clock: ManualClock) -> None:
    lab.add_mailbox("seed@yahoo.lab.example", PASSWORD)
    lab.fill("seed@yahoo.lab.example", 50)
    lab.fill("seed@yahoo.lab.example", 5, folder="Bulk")
    with reading(lab, "seed@yahoo.lab.example") as client:
        counts = [client.select(name, readonly=True)[1] for name in ("INBOX", "Bulk")]
        client.select("INBOX", readonly=True)
        last = client.fetch("50", "(INTERNALDATE)")[1][0]

    assert counts == [[b"50"], [b"5"]]
    assert b"02-Mar-2026 08:00:00" in (last if isinstance(last, bytes) else b"")


def test_connections_commands_and_round_trips_are_counted(lab: Lab) -> None:
    lab.add_mailbox("seed@gmail.lab.example", PASSWORD)
    post(lab, "seed@gmail.lab.example", letter())
    with BareImap(lab.providers["gmail"].imap.port) as client:
        client.run(f'LOGIN seed@gmail.lab.example "{PASSWORD}"'.encode())
        client.send(b"a NOOP\r\nb NOOP\r\nc NOOP\r\n")
        client.until(b"c")
        client.run(b"LOGOUT")

    counted = lab.stats["gmail"]
    assert (counted.smtp_connections, counted.smtp_messages) == (1, 1)
    assert (counted.imap_connections, counted.imap_commands) == (1, 5)
    assert counted.imap_round_trips == 3
    assert lab.stats["yahoo"].imap_commands == 0


@pytest.mark.parametrize(
    "junk", [b"\xff\xfe\r\n", b"MAIL FROM:<\r\n", b"x" * 5000 + b"\r\n", b"DATA\r\nRCPT TO:<a>\r\n"]
)
def test_an_smtp_client_s_junk_is_answered(lab: Lab, junk: bytes) -> None:
    endpoint: Endpoint = lab.providers["gmail"].smtp
    with socket.create_connection((endpoint.host, endpoint.port), timeout=5) as client:
        client.sendall(b"EHLO x\r\n" + junk + b"QUIT\r\n")
        answer = b""
        while b"221 " not in answer and (chunk := client.recv(65536)):
            answer += chunk

    assert b"\r\n50" in answer or b"\r\n55" in answer
