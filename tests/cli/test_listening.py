"""The dashboard's port: held early, free again afterwards, and where links lead."""

import json
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import closing

import pytest
from flask import Flask

from monitor.cli.context import on_port
from monitor.cli.listening import Listening
from monitor.core.errors import BadInputError
from monitor.settings.sections import Settings, Web


def listen(host: str = "127.0.0.1", port: int = 0) -> Listening:
    return Listening(host, port, field="web.port", remedy="Choose another.")


@pytest.fixture
def pages() -> Flask:
    made = Flask("pages")
    made.add_url_rule("/", view_func=lambda: {"it": "answers"})
    return made


@pytest.fixture
def listening() -> Iterator[Listening]:
    with closing(listen()) as held:
        yield held


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_pages_are_served_where_it_says(host: str, pages: Flask) -> None:
    """Whatever addresses a name has: one is listened on, and that is the one that is told."""
    with closing(listen(host)) as listening:
        listening.serve(pages)
        assert host in listening.url
        with urllib.request.urlopen(listening.url, timeout=10) as answer:
            assert json.load(answer) == {"it": "answers"}


def test_a_request_of_many_megabytes_is_refused_before_it_is_taken_in(
    listening: Listening, pages: Flask
) -> None:
    listening.serve(pages)
    with socket.create_connection(("127.0.0.1", listening.port), timeout=10) as caller:
        caller.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000000\r\n\r\n")
        assert caller.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_port_is_held_before_pages_are_served(listening: Listening) -> None:
    with pytest.raises(BadInputError, match=r"cannot be used \(Address already in use\)"):
        listen(port=listening.port)


def test_the_port_is_free_afterwards(listening: Listening, pages: Flask) -> None:
    listening.serve(pages)
    listening.close()
    listening.close()
    socket.create_server(("127.0.0.1", listening.port)).close()


def test_links_lead_to_the_port_that_was_chosen() -> None:
    assert on_port(Settings(), 9000).web.base_url == "http://127.0.0.1:9000"


def test_a_public_address_stays_what_it_is() -> None:
    public = Settings(web=Web(base_url="https://seedwatch.example.org"))
    assert on_port(public, 9000).web.base_url == "https://seedwatch.example.org"
