"""One HTTP request to a sending service, and how far it got: that decides what may be repeated."""

import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError

from monitor.bounded_http import Json
from monitor.core.errors import BadInputError
from monitor.time_limit import TimeLimit, WatchingAdapter

MAX_ANSWER: Final = 256 * 1024
MAX_TEXT: Final = 1000
_CHUNK: Final = 64 * 1024
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffd]+")


class NoAnswerError(Exception):
    """The request got no answer. Its text names neither the request nor what is in it.

    Attributes:
        was_sent: all of the request was handed to the connection, so it may have been done.
        is_silent: the service did not answer in time, and would not answer the next either.
        is_forged: its certificate is not its own; nothing was sent.
    """

    def __init__(self, what: str, *, was_sent: bool, is_silent: bool, is_forged: bool) -> None:
        super().__init__(what)
        self.was_sent = was_sent
        self.is_silent = is_silent
        self.is_forged = is_forged


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `repr` shows neither headers nor body, as both may hold a key."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False, default=b"")

    @classmethod
    def of_json(cls, path: str, value: object, headers: Mapping[str, str]) -> "Request":
        """POST *value* as JSON; the same value always gives the same bytes."""
        body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
        return cls("POST", path, {"Content-Type": "application/json", **headers}, body)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status. Header names are found in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)  # at most MAX_ANSWER bytes
    is_whole: bool = True  # the body ended as it should

    @property
    def said(self) -> Json:
        """The body read as JSON; None if it is none, or was cut."""
        try:
            value: Json = json.loads(self.body) if self.is_whole else None
        except (ValueError, RecursionError):
            return None
        return value


class Line:
    """A kept connection to one service, opened at the first request. For one thread at a time.

    Proxies, .netrc and cookies are left out of it, redirects are not followed, and a
    certificate is always checked.
    """

    def __init__(self, base_url: str, timeout_s: float) -> None:
        self._base_url = base_url
        self._timeout_s = timeout_s
        self._limit = TimeLimit()
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.headers.update(
            {"User-Agent": "Seedwatch", "Accept": "application/json", "Accept-Encoding": "identity"}
        )
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, WatchingAdapter(self._limit))

    def ask(self, request: Request) -> Answer:
        """Send *request*; all of it, with its answer, may take the time limit once.

        Raises:
            NoAnswerError: none came; of an answer that breaks off, what came is returned.
        """
        body = _Body(request.body)
        try:
            with self._limit.of(self._timeout_s):
                answer = self._exchange(request, body)
            if self._limit.is_over:  # a head that was cut looks like one that ended
                raise requests.Timeout
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            raise self._no_answer(error, was_sent=body.is_spent) from error
        return answer

    def close(self) -> None:
        self._session.close()
        self._limit.close()

    def _exchange(self, request: Request, body: "_Body") -> Answer:
        with self._session.request(
            request.method,
            self._base_url + request.path,
            headers=dict(request.headers),
            data=body if request.body else None,
            timeout=self._timeout_s,
            allow_redirects=False,
            stream=True,
        ) as response:
            read, is_whole = _read(response)
            return Answer(response.status_code, response.headers, read, is_whole)

    def _no_answer(self, error: Exception, *, was_sent: bool) -> NoAnswerError:
        """Say what failed by its kind alone: the text of such errors may repeat the request."""
        is_forged = "CERTIFICATE_VERIFY_FAILED" in str(error)
        is_silent = self._limit.is_over or isinstance(error, requests.Timeout)
        what = "no answer in time" if is_silent else f"no answer ({type(error).__name__})"
        if is_forged:
            what = "a certificate that is not its own"
        return NoAnswerError(
            what, was_sent=was_sent and not is_forged, is_silent=is_silent, is_forged=is_forged
        )


def text_at(value: Json, *keys: str | int) -> str:
    """Return the text or number at a path of *value*, cut and on one line; "" if there is none."""
    for key in keys:
        if isinstance(value, dict) and isinstance(key, str):
            value = value.get(key)
        elif isinstance(value, list) and isinstance(key, int) and key < len(value):
            value = value[key]
        else:
            return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return _UNPRINTABLE.sub(" ", str(value)[:MAX_TEXT])


def check_address(home: str) -> None:
    """Refuse an address to which a key must not go.

    Raises:
        BadInputError: neither https nor on this machine, or more than scheme, host and path.
    """
    try:
        parts = urlsplit(home)
        is_bare = parts.username is None and not parts.query and not parts.fragment
        is_safe = parts.scheme == "https" or (parts.scheme == "http" and _is_here(parts.hostname))
        is_fine = is_bare and is_safe and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_fine = False
    if not is_fine:
        raise BadInputError(
            "base_url", home, "is no https address", remedy="Write it as https://host."
        )


def _is_here(host: str | None) -> bool:
    try:
        return host == "localhost" or ip_address(host or "").is_loopback
    except ValueError:
        return False


class _Body(io.BytesIO):
    """Tells whether its last byte was taken to be written to the connection.

    The library writes the headers first and the body in blocks, each read here just before.
    Until the last one is read the service cannot have the whole request.
    """

    @property
    def is_spent(self) -> bool:
        return self.tell() >= len(self.getbuffer())


def _read(response: requests.Response) -> tuple[bytes, bool]:
    """Read a body up to MAX_ANSWER; was that all of it?"""
    body = bytearray()
    try:
        while chunk := response.raw.read1(_CHUNK, decode_content=False):
            body += chunk
            if len(body) > MAX_ANSWER:
                return bytes(body[:MAX_ANSWER]), False
    except (HTTPError, OSError):
        return bytes(body), False
    return bytes(body), True
