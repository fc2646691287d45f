"""Asking the DNS who receives mail."""

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Thread

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

from monitor.core.errors import AgainLaterError
from monitor.core.providers import provider_of_mx
from monitor.core.seeds import ProviderFacts
from monitor.lab.lab import Lab
from monitor.lookups.dns import MAX_HOSTS, DnsResolver

Answer = Callable[[dns.message.Message], bytes | None]


@pytest.fixture
def nameserver() -> Iterator[Callable[[Answer], DnsResolver]]:
    """Answer questions as told; return who asks them."""
    sockets: list[socket.socket] = []
    threads: list[Thread] = []

    def start(answer: Answer) -> DnsResolver:
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(("127.0.0.1", 0))
        sockets.append(server)

        def work() -> None:
            with suppress(OSError):
                while True:
                    data, peer = server.recvfrom(4096)
                    if not data:
                        return
                    if (reply := answer(dns.message.from_wire(data))) is not None:
                        server.sendto(reply, peer)

        threads.append(Thread(target=work))
        threads[-1].start()
        return DnsResolver([server.getsockname()], timeout_s=0.3)

    yield start
    for server, thread in zip(sockets, threads, strict=True):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", server.getsockname())
        thread.join(5)
        server.close()


def reply(query: dns.message.Message, *records: str, code: int = 0) -> bytes:
    message = dns.message.make_response(query)
    message.set_rcode(dns.rcode.Rcode(code))
    if records:
        message.answer.append(dns.rrset.from_text(query.question[0].name, 5, "IN", "MX", *records))
    return message.to_wire()


def test_each_provider_of_the_lab_is_known_by_its_mail_servers(
    lab: Lab, facts: dict[str, ProviderFacts]
) -> None:
    resolver = DnsResolver([lab.dns], timeout_s=5)

    found = {p.id: provider_of_mx(resolver.mx(p.domain), facts) for p in lab.providers.values()}

    assert found == {name: name for name in lab.providers}


def test_a_domain_without_mail_servers_has_none(lab: Lab) -> None:
    resolver = DnsResolver([lab.dns], timeout_s=5)

    assert resolver.mx("nobody.invalid") == []
    assert resolver.mx("_dmarc.gmail.lab.example") == []


def test_the_best_server_comes_first(nameserver: Callable[[Answer], DnsResolver]) -> None:
    resolver = nameserver(lambda q: reply(q, "20 B.example.", "5 c.example.", "10 a.example."))

    assert resolver.mx("brand.example") == ["c.example", "a.example", "b.example"]


def test_a_domain_that_refuses_mail_has_no_server(
    nameserver: Callable[[Answer], DnsResolver],
) -> None:
    """RFC 7505: a null MX."""
    assert nameserver(lambda q: reply(q, "0 .")).mx("brand.example") == []


def test_a_thousand_servers_are_cut_short(nameserver: Callable[[Answer], DnsResolver]) -> None:
    many = [f"{n} mx{n}.example." for n in range(60)]

    hosts = nameserver(lambda q: reply(q, *many)).mx("brand.example")

    assert hosts == [f"mx{n}.example" for n in range(MAX_HOSTS)]


@pytest.mark.parametrize(
    "domain", ["", ".", "a..b", "x" * 64 + ".example", "a." * 200, "-\x00-", "exa mple", "☃" * 80]
)
def test_what_is_no_domain_has_no_server(lab: Lab, domain: str) -> None:
    assert DnsResolver([lab.dns], timeout_s=5).mx(domain) == []


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: None,
        lambda q: reply(q, code=2),
        lambda q: reply(q, code=5),
        lambda _: b"\xff" * 20,
    ],
    ids=["silence", "SERVFAIL", "REFUSED", "garbage"],
)
def test_no_answer_is_not_taken_for_no_server(
    nameserver: Callable[[Answer], DnsResolver], answer: Answer
) -> None:
    with pytest.raises(AgainLaterError, match=r"no answer about 'brand\.example'"):
        nameserver(answer).mx("brand.example")
