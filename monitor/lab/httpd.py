"""A small HTTP/1.1 server for what is not mail at a provider. Bounded in every direction."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote, urlsplit

from monitor.lab.connections import Connections

MAX_HEAD = 32 * 1024
MAX_BODY = 256 * 1024
MAX_FIELDS = 100


@dataclass(frozen=True, slots=True)
class Request:
    """One request. Header names are lower case; the query keeps its first value per name."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @classmethod
    def of(
        cls, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> "Request":
        """Read a request's target.

        Raises:
            BadRequestError: it cannot be read.
        """
        parts = _split(target)
        return cls(method.upper(), unquote(parts.path), _pairs(parts.query), headers, body)

    def form(self) -> dict[str, str]:
        """Read a urlencoded body; {} if it is something else."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/x-www-form-urlencoded":
            return {}
        text = self.body.decode("utf-8", "replace")
        return _pairs(text)

    def json(self) -> dict[str, object] | None:
        """Read a JSON object; None if it is not one."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) and kind == "application/json" else None


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_json(
        cls, value: object, *, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> "Response":
        kind = {"Content-Type": "application/json; charset=utf-8"}
        return cls(status, json.dumps(value).encode(), kind | dict(headers or {}))

    @classmethod
    def of_html(cls, text: str, *, status: int = 200) -> "Response":
        return cls(status, text.encode(), {"Content-Type": "text/html; charset=utf-8"})

    def encode(self, *, with_body: bool) -> bytes:
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        lines.append(f"Content-Length: {len(self.body)}")
        head = "\r\n".join((*lines, "", "")).encode("latin-1", "replace")
        return head + self.body if with_body else head


Handler = Callable[[Request], Response]


class BadRequestError(Exception):
    """Not HTTP, or more of it than we take; the connection ends after the answer."""


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """Read one request; None if the client is done.

    Raises:
        BadRequestError: it cannot be read.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if not error.partial.strip():
            return None
        raise BadRequestError from error
    except asyncio.LimitOverrunError as error:
        raise BadRequestError from error
    first, *rest = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1.") or len(rest) > MAX_FIELDS:
        raise BadRequestError
    headers = {
        name.strip().lower(): value.strip()
        for name, colon, value in (line.partition(":") for line in rest)
        if colon
    }
    body = await _read_body(reader, headers)
    return Request.of(words[0], words[1], headers, body)


@dataclass(frozen=True, slots=True)
class Target:
    path: str
    query: str


def _split(target: str) -> Target:
    try:
        parts = urlsplit(target)
    except ValueError as error:
        raise BadRequestError from error
    return Target(parts.path, parts.query)


def _pairs(text: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise BadRequestError from error
    return dict(reversed(pairs))


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    length = headers.get("content-length", "0")
    if "transfer-encoding" in headers or not length.isdecimal() or len(length) > 9:
        raise BadRequestError
    if int(length) > MAX_BODY:
        raise BadRequestError
    try:
        return await reader.readexactly(int(length))
    except asyncio.IncompleteReadError as error:
        raise BadRequestError from error


async def serve_http(handler: Handler, connections: Connections, host: str) -> asyncio.Server:
    """Listen on a port that the kernel picks; *handler* is called in the loop's thread."""

    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(writer.transport)
        try:
            while (request := await read_request(reader)) is not None:
                reply = handler(request)
                writer.write(reply.encode(with_body=request.method != "HEAD"))
                await writer.drain()
                if request.headers.get("connection", "").lower() == "close":
                    return
        except BadRequestError:
            writer.write(Response(400, headers={"Connection": "close"}).encode(with_body=True))
        except ConnectionError:
            return
        except asyncio.CancelledError:  # the lab ends; asyncio would log it as a failure
            return
        finally:
            writer.close()

    return await asyncio.start_server(client, host, 0, limit=MAX_HEAD)
