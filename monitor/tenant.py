"""Asks a Microsoft 365 tenant as an app: client credentials in, bounded JSON out.

It belongs to no room: mailboxes and feeds both ask so, and edges never import each other.
"""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parsedate_to_datetime
from time import monotonic
from typing import TypeAlias
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase
from urllib3.exceptions import HTTPError

from monitor.core.errors import AgainLaterError, PersonNeededError

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"
_Answer: TypeAlias = tuple[requests.Response, bytes]

MAX_ANSWER = 16 * 1024 * 1024
MAX_WAIT = timedelta(days=1)  # that a server may ask of us
_EARLY_S = 60.0  # a token is renewed so long before it ends


class RefusedError(PersonNeededError):
    """This tenant does not answer this question: no permission, no licence, no such table."""


@dataclass(frozen=True, slots=True)
class App:
    """An app registration, and where its tenant is asked. `repr` never shows the secret."""

    base_url: str
    login_url: str
    tenant: str
    client_id: str
    client_secret: str = field(repr=False)
    timeout_s: float  # for each wait, and for a whole answer

    def address(self, path: str) -> str:
        """Return the address of *path*, which may be the whole address of a next page.

        Raises:
            AgainLaterError: it is at another server, which must not get our token.
        """
        base = self.base_url.rstrip("/")
        if path.startswith("/"):
            return base + path
        try:
            is_here = urlsplit(path)[:2] == urlsplit(base)[:2]
        except ValueError:
            is_here = False
        if not is_here:
            raise AgainLaterError("Microsoft Graph points to another server for its next page.")
        return path

    @property
    def token_url(self) -> str:
        return f"{self.login_url.rstrip('/')}/{self.tenant}/oauth2/v2.0/token"

    @property
    def grant(self) -> dict[str, str]:
        return {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "scope": f"{self.base_url.rstrip('/')}/.default",
        }


class _Bearer(AuthBase):
    """Keeps requests from taking other credentials out of a .netrc file."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class Tenant:
    """One app in one tenant. Safe between threads: one request at a time.

    Source: OAuth 2.0 client credentials (RFC 6749 section 4.4) as
    learn.microsoft.com/graph/auth-v2-service describes them.

    Args:
        remedy: what a person is to do about a refusal.
    """

    def __init__(self, app: App, *, remedy: str) -> None:
        self._app = app
        self._remedy = remedy
        self._lock = threading.Lock()
        self._token = ""
        self._token_ends = 0.0

    def __repr__(self) -> str:
        return f"Tenant({self._app!r})"

    def sign_in(self) -> None:
        """Get a token if there is none.

        Raises:
            PersonNeededError: refused.
            AgainLaterError: no answer.
        """
        with self._lock, requests.Session() as session:
            self._fresh_token(session)

    def get(self, path: str, params: Mapping[str, str] | None = None) -> dict[str, Json]:
        """GET *path*, or the whole address of a next page. Keys of the answer are lower case.

        Raises:
            RefusedError: 400, 403 or 404.
            PersonNeededError: signed in, and still not let in; or the sign-in is refused.
            AgainLaterError: no answer, or none that makes sense; `retry_after` if told.
        """
        url = self._app.address(path)
        return self._ask(lambda session: self._send(session, "GET", url, params=params))

    def post(self, path: str, body: Mapping[str, str]) -> dict[str, Json]:
        """POST *body* as JSON; otherwise as `get`."""
        url = self._app.address(path)
        return self._ask(lambda session: self._send(session, "POST", url, body=body))

    def _ask(self, send: Callable[[requests.Session], _Answer]) -> dict[str, Json]:
        with self._lock, requests.Session() as session:
            self._fresh_token(session)
            response, body = send(session)
            if response.status_code == 401:
                self._token = ""
                self._fresh_token(session)
                response, body = send(session)
        if response.status_code in {400, 403, 404}:
            problem = _words("refuses this question", response, body)
            raise RefusedError(problem, remedy=self._remedy)
        if response.status_code == 401:
            problem = _words("does not know us", response, body)
            raise PersonNeededError(problem, remedy=self._remedy)
        return _json(response, body)

    def _fresh_token(self, session: requests.Session) -> None:
        if self._token and monotonic() < self._token_ends:
            return
        response, body = self._send(session, "POST", self._app.token_url, form=self._app.grant)
        if response.status_code in {400, 401, 403, 404}:
            problem = _words("refuses the sign-in", response, body)
            raise PersonNeededError(problem, remedy=self._remedy)
        answer = _json(response, body)
        token = answer.get("access_token")
        if not isinstance(token, str) or not (token and token.isascii() and token.isprintable()):
            raise AgainLaterError("Microsoft Graph's sign-in answered without a token.")
        self._token = token
        self._token_ends = monotonic() + _seconds(answer.get("expires_in")) - _EARLY_S

    def _send(
        self,
        session: requests.Session,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        body: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> _Answer:
        """Send one request; a *form* is the sign-in, which has no token yet."""
        deadline = monotonic() + self._app.timeout_s
        try:
            with session.request(
                method,
                url,
                params=params,
                json=body,
                data=form,
                auth=_Bearer(self._token) if form is None else None,
                timeout=self._app.timeout_s,
                allow_redirects=False,
                stream=True,
            ) as response:
                return response, _body(response, deadline)
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            # What goes wrong within the body is urllib3's own error; its text, like that of
            # the others, may repeat the request.
            kind = type(error).__name__
            raise AgainLaterError(f"Microsoft Graph cannot be reached ({kind}).") from error


def _body(response: requests.Response, deadline: float) -> bytes:
    body = bytearray()
    while chunk := response.raw.read1(65536, decode_content=True):
        body += chunk
        if len(body) > MAX_ANSWER or monotonic() > deadline:
            raise AgainLaterError("Microsoft Graph's answer is too long or too slow.")
    return bytes(body)


def _json(response: requests.Response, body: bytes) -> dict[str, Json]:
    """Return a JSON object; anything else affirms nothing, though its status be 200."""
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if response.status_code != 200 or kind != "application/json":
        problem = _words("cannot answer now", response, body)
        raise AgainLaterError(problem, retry_after=retry_after(response.headers))
    try:
        answer = _lower(json.loads(body))
    except (ValueError, RecursionError) as error:
        raise AgainLaterError("Microsoft Graph's answer is not JSON.") from error
    if not isinstance(answer, dict):
        raise AgainLaterError("Microsoft Graph's answer is not a JSON object.")
    return answer


def _lower(value: Json) -> Json:
    """Lower the keys: documentation and service differ in their case."""
    if isinstance(value, dict):
        return {key.lower(): _lower(inner) for key, inner in value.items()}
    return [_lower(inner) for inner in value] if isinstance(value, list) else value


def _words(problem: str, response: requests.Response, body: bytes) -> str:
    """Name the error code of an answer; its free text may hold anything."""
    code = ""
    try:
        answer = _lower(json.loads(body[:65536]))
        error = answer.get("error") if isinstance(answer, dict) else None
        found = error.get("code") if isinstance(error, dict) else error
        code = found if isinstance(found, str) else ""
    except (ValueError, RecursionError):
        code = "no JSON"
    shown = "".join(c for c in code[:60] if c.isalnum() or c in "_ -")
    return f"Microsoft Graph {problem} ({response.status_code} {shown})".replace(" )", ")") + "."


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


def _seconds(value: Json) -> float:
    """Read a span as the services write it, a number or its text; 0 if it is none."""
    whole = str(value).partition(".")[0] if isinstance(value, int | float | str) else ""
    return float(whole) if whole.isascii() and whole.isdigit() and len(whole) < 10 else 0.0
