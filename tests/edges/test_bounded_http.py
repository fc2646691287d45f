"""One HTTP request: its answer is bounded in time, whichever part of it is slow."""

import json
import socket
from collections.abc import Callable
from typing import Any

import pytest

from monitor.bounded_http import Ask, Service
from monitor.core.errors import AgainLaterError
from tests.edges.test_links import drip

BEGINS = {
    "status": b"HT",
    "header": b"HTTP/1.1 200 OK\r\nX-",
    "body": b"HTTP/1.1 200 OK\r\n\r\n",
    "size of a piece": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0",
}


@pytest.mark.parametrize("part", BEGINS)
def test_an_answer_that_drips_is_cut_off(part: str, serve: Callable[..., Any]) -> None:
    def talk(connection: socket.socket) -> None:
        connection.sendall(BEGINS[part])
        drip(connection, b"0")

    url = f"http://{serve(talk).endpoint}/"
    slow = pytest.raises(AgainLaterError, match="too long or too slow")
    with Service("The service", 0.3).talk() as talking, slow:
        talking.send(Ask("GET", url))


def test_a_talk_goes_on_after_an_answer_that_was_cut_off(serve: Callable[..., Any]) -> None:
    slow_ones = [True]

    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        if slow_ones and slow_ones.pop():
            drip(connection, b"H")
        body = json.dumps({"fine": True}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)

    ask = Ask("GET", f"http://{serve(talk).endpoint}/")
    with Service("The service", 0.3).talk() as talking:
        with pytest.raises(AgainLaterError):
            talking.send(ask)
        assert json.loads(talking.send(ask).body) == {"fine": True}
