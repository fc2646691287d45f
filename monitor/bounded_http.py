"""Asks a service over HTTP: every answer is bounded in size and time, and nothing is followed.

It belongs to no room: sign-ins, mailboxes and feeds ask so, and edges never import each other.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import TypeAlias

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from monitor.core.errors import AgainLaterError, PersonNeededError
from monitor.core.ports import TokenSource
from monitor.time_limit import TimeLimit, WatchingAdapter

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"

MAX_ANSWER = 16 * 1024 * 1024
MAX_WAIT = timedelta(days=1)  # that a server may ask of us
MAX_NEST = 100  # levels of an answer whose keys are lowered


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. `repr` shows neither what is posted nor the headers, as both may be secret."""

    method: str
    url: str
    params: Mapping[str, str] | None = None
    body: object = field(repr=False, default=None)  # sent as JSON
    form: Mapping[str, str] | None = field(repr=False, default=None)  # sent urlencoded
    headers: Mapping[str, str] = field(repr=False, default_factory=dict)
    first: int | None = None  # only so many bytes of the answer are read; None: it must end


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status. Header names are found in any case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)

    @property
    def is_json(self) -> bool:
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        return kind in {"application/json", "application/problem+json"}


class _Auth(AuthBase):
    """Keeps requests from taking other credentials out of a .netrc file."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


@dataclass(frozen=True, slots=True)
class Service:
    """Where we ask; `name` is what people call it. Safe between threads."""

    name: str
    timeout_s: float  # for each wait, and for a whole answer
    ca_file: str | None = None  # CA certificates to trust instead of the system's

    @contextmanager
    def talk(self) -> Iterator["Talk"]:
        """Keep connections open between requests until the block ends."""
        with requests.Session() as session, TimeLimit() as limit:
            for scheme in ("http://", "https://"):
                session.mount(scheme, WatchingAdapter(limit))
            yield Talk(self, session, limit)


class Talk:
    """Requests to one service, one after the other."""

    def __init__(self, service: Service, session: requests.Session, limit: TimeLimit) -> None:
        self.service = service
        self._session = session
        self._limit = limit

    def send(self, ask: Ask, *, token: str = "") -> Answer:
        """Send one request.

        Raises:
            AgainLaterError: no answer, or one that is too long or too slow.
            PersonNeededError: the server's certificate is not its own.
        """
        deadline = monotonic() + self.service.timeout_s
        try:
            with (
                self._limit.of(self.service.timeout_s),
                self._session.request(
                    ask.method,
                    ask.url,
                    params=ask.params,
                    json=ask.body,
                    data=ask.form,
                    headers=dict(ask.headers),
                    auth=_Auth(token),
                    timeout=self.service.timeout_s,
                    allow_redirects=False,
                    stream=True,
                    verify=self.service.ca_file or True,
                ) as response,
            ):
                body = self._body(response, deadline, ask.first)
                return Answer(response.status_code, response.headers, body)
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            if self._limit.is_over:
                raise self._too_slow() from error
            raise self._unreached(error) from error

    def send_signed(self, ask: Ask, tokens: TokenSource) -> Answer:
        """Send one request with a token, and once more with a fresh one if that is refused.

        Raises: as `send`, and as `TokenSource.token`.
        """
        token = tokens.token()
        answer = self.send(ask, token=token)
        if answer.status == 401:
            tokens.reject(token)
            answer = self.send(ask, token=tokens.token())
        return answer

    def _body(self, response: requests.Response, deadline: float, first: int | None) -> bytes:
        body = bytearray()
        while chunk := response.raw.read1(65536, decode_content=True):
            body += chunk
            if first is not None and len(body) >= first:
                return bytes(body[:first])
            if len(body) > MAX_ANSWER or monotonic() > deadline:
                raise self._too_slow()
        if self._limit.is_over:  # what ends with its connection has no other end
            raise self._too_slow()
        return bytes(body)

    def _too_slow(self) -> AgainLaterError:
        return AgainLaterError(f"{self.service.name}'s answer is too long or too slow.")

    def _unreached(self, error: Exception) -> AgainLaterError | PersonNeededError:
        """Say what failed by its kind alone: the text of such errors may repeat the request."""
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return PersonNeededError(
                f"{self.service.name} shows a certificate that is not its own.",
                remedy="Check the address, and [reading] ca_file if its CA is your own.",
            )
        # What goes wrong within the body is urllib3's own error, not that of requests.
        return AgainLaterError(f"{self.service.name} cannot be reached ({type(error).__name__}).")


def json_object(name: str, answer: Answer, *, lower: bool = False) -> dict[str, Json]:
    """Return a JSON object; anything else affirms nothing, though its status be 200.

    Args:
        lower: the keys, where documentation and service differ in their case.

    Raises:
        AgainLaterError: it is none; `retry_after` if the service told.
    """
    if answer.status != 200 or not answer.is_json:
        problem = refusal(name, "cannot answer now", answer)
        raise AgainLaterError(problem, retry_after=retry_after(answer.headers))
    try:
        value: Json = json.loads(answer.body)
        value = lowered(value) if lower else value
    except (ValueError, RecursionError) as error:
        raise AgainLaterError(f"{name}'s answer is not JSON.") from error
    if not isinstance(value, dict):
        raise AgainLaterError(f"{name}'s answer is not a JSON object.")
    return value


def lowered(value: Json, depth: int = 0) -> Json:
    """Lower the keys of *value*.

    Raises:
        ValueError: it is nested too deeply to be what we asked for.
    """
    if depth > MAX_NEST:
        raise ValueError("nested too deeply")
    if isinstance(value, dict):
        return {key.lower(): lowered(inner, depth + 1) for key, inner in value.items()}
    return [lowered(inner, depth + 1) for inner in value] if isinstance(value, list) else value


def refusal(name: str, problem: str, answer: Answer) -> str:
    """Return a sentence with the status and the error code of an answer."""
    shown = f"{answer.status} {error_code(answer)}".strip()
    return f"{name} {problem} ({shown})."


def error_code(answer: Answer) -> str:
    """Return the error code of an answer, cut and cleaned; its free text may hold anything.

    It stands in `error`, `error.code`, `error.status` or `type`, as the services have it.
    """
    try:
        value = lowered(json.loads(answer.body[:65536]))
    except (ValueError, RecursionError):
        return "no JSON"
    if not isinstance(value, dict):
        return ""
    error = value.get("error", value.get("type"))
    if isinstance(error, dict):
        named = [error.get("status"), error.get("code")]
        error = next((code for code in named if isinstance(code, str)), "")
    code = error if isinstance(error, str) else ""
    return "".join(c for c in code[:60] if (c.isascii() and c.isalnum()) or c in "_ -:").strip()


def retry_after(headers: Mapping[str, str]) -> timedelta | None:
    """Read Retry-After (RFC 9110 section 10.2.3), a date by the server's own clock."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit() and len(value) < 10:
        return min(timedelta(seconds=int(value)), MAX_WAIT)
    try:
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(headers.get("Date", ""))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return min(max(wait, timedelta(0)), MAX_WAIT)


def seconds(value: Json) -> float:
    """Read a span as the services write it, a number or its text; 0 if it is none."""
    whole = str(value).partition(".")[0] if isinstance(value, int | float | str) else ""
    return float(whole) if whole.isascii() and whole.isdigit() and len(whole) < 10 else 0.0


def is_token(value: Json) -> bool:
    """Can *value* stand in an Authorization header?"""
    return isinstance(value, str) and bool(value) and value.isascii() and value.isprintable()
