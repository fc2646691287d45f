"""Following rewritten links, in the lab and past servers that mean us harm."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from monitor import guarded
from monitor.core.addresses import split_url
from monitor.core.clock import ManualClock
from monitor.core.ports import LinkState
from monitor.lab.lab import Lab
from monitor.lab.scenario import load_scenario
from monitor.lookups.links import HttpLinkChecker

Web = Callable[..., Any]
Answer = Callable[..., bytes]

CHECKER = HttpLinkChecker(allow_loopback=True, timeout_s=5)
BLOCK = """
[[rule]]
action = "block_link"
provider = "microsoft365"
url_domain = "lnk.example.net"
from = "1h"
until = "2h"
"""


def test_a_rewritten_link_is_ok_then_blocked_then_ok_again(clock: ManualClock) -> None:
    """The provider judges it anew on every click; the target is never asked."""
    with Lab(load_scenario(BLOCK, name="test"), clock=clock, seed=1) as lab:
        host = lab.api_url.partition("://")[2]
        link = f"{lab.api_url}/safelinks?url={quote('https://lnk.example.net/a', safe='')}"
        states = []
        for _ in range(3):
            verdict = CHECKER.check(link, link_hosts=[host])
            states.append((verdict.state, verdict.rewritten))
            clock.sleep(timedelta(hours=1))

    assert states == [(LinkState.OK, True), (LinkState.BLOCKED, True), (LinkState.OK, True)]


def test_a_link_that_was_left_alone_is_never_requested(web: Web, answer: Answer) -> None:
    """It may be a one-click unsubscribe."""
    server = web({"GET": answer(200, "unsubscribed")})

    verdict = CHECKER.check(f"{server.url}/u", link_hosts=["safe.example"])

    assert (verdict.state, verdict.rewritten) == (LinkState.OK, False)
    assert server.requests == []


@pytest.mark.parametrize(
    ("status", "body", "state"),
    [
        (200, "<h1>This website has been\n <b>classified</b> as MALICIOUS.</h1>", "blocked"),
        (404, "Your organisation says: this site has been blocked", "blocked"),
        (403, "no", "blocked"),
        (451, "no", "blocked"),
        (200, "<p>Opening this website might not be safe.</p>", "warned"),
        (200, "This link is being scanned", "warned"),
        (200, "<script>location='x'</script>", "warned"),
        (200, "", "warned"),
        (500, "oops", "unreachable"),
        (404, "gone", "unreachable"),
        (429, "slow down", "unreachable"),
        (304, "", "unreachable"),
    ],
)
def test_a_page_of_the_provider_is_understood(
    web: Web, answer: Answer, status: int, body: str, state: str
) -> None:
    server = web({"GET": answer(status, body)})

    verdict = CHECKER.check(f"{server.url}/safe?u=1", link_hosts=[server.host])

    assert (verdict.state, verdict.rewritten) == (state, True)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_out_is_where_the_provider_s_part_ends(
    web: Web, answer: Answer, status: int
) -> None:
    target = web({"GET": answer(200, "target")})
    server = web(
        {"GET": answer(status, Location=f"{target.url.replace('127.0.0.1', 'localhost')}")}
    )

    verdict = CHECKER.check(f"{server.url}/safe", link_hosts=[server.host])

    assert (verdict.state, verdict.detail) == (LinkState.OK, "sent on to localhost")
    assert target.requests == []


def test_a_page_that_refreshes_itself_away_is_a_redirect(web: Web, answer: Answer) -> None:
    page = '<meta http-equiv="refresh" content="0; url=https://brand.example/?a=1&amp;b=2">'
    server = web({"GET": answer(200, page)})

    verdict = CHECKER.check(f"{server.url}/safe", link_hosts=[server.host])

    assert (verdict.state, verdict.detail) == (LinkState.OK, "sent on to brand.example")


def test_redirects_within_the_provider_are_followed_three_times(web: Web, answer: Answer) -> None:
    server = web({"GET": lambda n: answer(302, Location=f"/{n}")})

    verdict = CHECKER.check(f"{server.url}/0", link_hosts=[server.host])

    assert verdict.detail == "sent on and on by the provider"
    assert verdict.state is LinkState.UNREACHABLE
    assert server.requests == ["GET /0", "GET /1", "GET /2", "GET /3"]


@pytest.mark.parametrize("onward", ["file:///etc/passwd", "javascript:alert(1)", "http://[", "//"])
def test_a_redirect_to_nowhere_is_not_followed(web: Web, answer: Answer, onward: str) -> None:
    server = web({"GET": answer(302, Location=onward)})

    verdict = CHECKER.check(f"{server.url}/safe", link_hosts=[server.host])

    assert verdict.state is LinkState.UNREACHABLE


@pytest.mark.parametrize(
    "url",
    [
        "mailto:a@b.example",
        "ftp://safe.example/x",
        "https:///x",
        "http://[::1",
        "https://safe.example@evil.example/",
        "https://evil.example\\@safe.example/",
        "https://safe.example:0/",
        "https://safe.example:99999/",
        "https://safe.example/\r\nHost: x",
        "https://safe.example/ x",
        "https://safe.example/" + "x" * 9000,
        "",
        "\x00",
    ],
)
def test_an_address_that_programs_may_read_differently_is_refused(url: str) -> None:
    assert split_url(url) is None
    assert CHECKER.check(url, link_hosts=["safe.example"]).state is LinkState.UNREACHABLE


@pytest.mark.parametrize(
    ("url", "hosts", "is_rewritten"),
    [
        ("https://eur01.Safe.Example/x", ["safe.example"], True),
        ("https://safe.example./x", ["safe.example"], True),
        ("https://notsafe.example/x", ["safe.example"], False),
        ("https://safe.example.evil.invalid/x", ["safe.example"], False),
        ("https://safe.example/x", [], False),
        ("https://safe.example/x", [""], False),
    ],
)
def test_only_the_provider_s_own_hosts_count_as_rewritten(
    url: str, hosts: list[str], is_rewritten: bool
) -> None:
    checker = HttpLinkChecker(timeout_s=0.2)

    assert checker.check(url, link_hosts=hosts).rewritten is is_rewritten


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "localhost",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::]",
    ],
)
def test_no_name_of_this_machine_is_asked(host: str) -> None:
    """Whatever is written, the connected peer decides, before a byte is sent."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        port = listener.getsockname()[1]
        with guarded.TimeLimit(2) as limit, pytest.raises(guarded.GetError):
            guarded.get(f"http://{host}:{port}/", limit=limit, max_bytes=100, allow_loopback=False)
        heard = b""
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            return
        with connection:
            connection.settimeout(2)
            heard = connection.recv(1000)

    assert heard == b""


@pytest.mark.parametrize(
    "peer",
    [
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.8",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "0.0.0.0",
        "::",
        "::1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2001:0:1::f5ff:fffe",
        "fc00::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "::7f00:1",
    ],
)
def test_an_address_that_is_not_public_is_refused(peer: str) -> None:
    assert not guarded.is_public(peer)


@pytest.mark.parametrize("peer", ["8.8.8.8", "2606:4700::1", "64:ff9b::808:808", "::ffff:8.8.8.8"])
def test_a_public_address_is_accepted_however_it_is_wrapped(peer: str) -> None:
    assert guarded.is_public(peer)


def test_only_the_web_s_own_ports_are_asked(web: Web, answer: Answer) -> None:
    server = web({"GET": answer(200)})

    verdict = HttpLinkChecker(timeout_s=1).check(f"{server.url}/", link_hosts=[server.host])

    assert (verdict.state, verdict.detail) == (LinkState.UNREACHABLE, "not a port of the web")
    assert server.requests == []


def test_a_proxy_of_the_environment_is_not_asked(web: Web, answer: Answer) -> None:
    """It would connect for us, and nobody would look at the peer."""
    proxy = web({"GET": answer(200, "proxied")})
    server = web({"GET": answer(302, Location="https://brand.example/")})
    code = (
        "import sys; from monitor.lookups.links import HttpLinkChecker as C;"
        "c = C(allow_loopback=True, timeout_s=5);"
        "print(c.check(sys.argv[1], link_hosts=[sys.argv[2]]).state)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, server.url, server.host],
        env={**os.environ, "http_proxy": proxy.url, "HTTP_PROXY": proxy.url},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "ok\n"
    assert proxy.requests == []


def drip(connection: socket.socket, piece: bytes) -> None:
    """Send a little, again and again, until the other side has had enough."""
    connection.settimeout(0.05)
    while True:
        connection.sendall(piece)
        try:
            if not connection.recv(1000):
                return
        except TimeoutError:
            continue


@pytest.mark.parametrize(
    "start", [b"HTTP/1.1 200 OK\r\nX-", b"HTTP/1.1 200 OK\r\n\r\n", b"HT"], ids=["head", "body", ""]
)
def test_a_page_that_drips_is_cut_off(start: bytes, serve: Callable[..., Any]) -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(start)
        drip(connection, b"x")

    host = str(serve(talk).endpoint)
    checker = HttpLinkChecker(allow_loopback=True, timeout_s=0.4)

    verdict = checker.check(f"http://{host}/", link_hosts=[host])

    assert (verdict.state, verdict.detail) in {
        (LinkState.UNREACHABLE, "no answer in time"),
        (LinkState.WARNED, "a page of the provider's stands in between"),
    }


def test_a_page_without_end_is_read_to_its_bound(serve: Callable[..., Any]) -> None:
    sent = 0

    def talk(connection: socket.socket) -> None:
        nonlocal sent
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            sent += connection.send(b"x" * 10_000)

    host = str(serve(talk).endpoint)
    checker = HttpLinkChecker(allow_loopback=True, timeout_s=5, max_bytes=20_000)

    assert checker.check(f"http://{host}/", link_hosts=[host]).state is LinkState.WARNED
    assert sent < 20_000_000


@pytest.mark.parametrize("raw", [b"", b"\r\n\r\n", b"SSH-2.0-x\r\n", b"HTTP/1.1 999999 X\r\n\r\n"])
def test_what_is_not_http_is_unreachable(web: Web, raw: bytes) -> None:
    server = web({"GET": raw})

    assert CHECKER.check(server.url, link_hosts=[server.host]).state is LinkState.UNREACHABLE
