"""The lab's HTTP server meets what is not HTTP."""

import socket
from urllib.parse import urlsplit

import pytest

from monitor.lab.lab import Lab


def talk(lab: Lab, *pieces: bytes) -> bytes:
    """Send *pieces*, say that no more will come, and read to the end."""
    target = urlsplit(lab.api_url)
    with socket.create_connection((target.hostname, target.port), timeout=5) as client:
        for piece in pieces:
            client.sendall(piece)
        client.shutdown(socket.SHUT_WR)
        answer = b""
        while chunk := client.recv(65536):
            answer += chunk
        return answer


@pytest.mark.parametrize(
    "request_",
    [
        b"nonsense\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost",
        b"GET / FTP/1.1\r\n\r\n",
        b"\xff\xfe\xfd\r\n\r\n",
        b"GET http://[broken HTTP/1.1\r\n\r\n",
        b"POST /a HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /a HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n",
        b"POST /a HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc",
        b"POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /?" + b"&".join(b"a%d=1" % n for n in range(500)) + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 500 + b"\r\n",
    ],
)
def test_what_is_not_http_gets_a_400(lab: Lab, request_: bytes) -> None:
    assert talk(lab, request_).startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_an_endless_header_is_cut_off(lab: Lab) -> None:
    answer = talk(lab, b"GET / HTTP/1.1\r\n", b"a: " + b"x" * 40_000)

    assert answer.startswith(b"HTTP/1.1 400")


def test_a_connection_answers_one_request_after_another(lab: Lab) -> None:
    answer = talk(lab, b"GET /a HTTP/1.1\r\n\r\nHEAD /b HTTP/1.1\r\n\r\n")

    assert answer.count(b"HTTP/1.1 404 Not Found\r\n") == 2


def test_a_json_body_that_is_none_is_refused(lab: Lab) -> None:
    body = b"[" * 100_000
    answer = talk(
        lab,
        b"POST /v1.0/security/runHuntingQuery HTTP/1.1\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body),
        body,
    )

    assert answer.startswith(b"HTTP/1.1 401")  # nobody was asked to parse it
