"""A browser on this machine brings the answer: authorization code, PKCE, loopback redirect.

Sources: RFC 6749 section 4.1, RFC 7636 (PKCE), RFC 8252 section 7.3 (loopback redirect).
"""

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer
from time import monotonic
from urllib.parse import parse_qsl, urlencode, urlsplit

from monitor.core.errors import BadInputError, MailboxLockedError
from monitor.oauth.apps import GOOGLE, MICROSOFT, OAuthApp
from monitor.oauth.client import Grant, OAuthClient

_HOST = "127.0.0.1"
_REQUEST_S = 5.0  # for one request of the browser
_MAX_REQUESTS = 100  # of a browser that asks for other things, such as an icon
_PAGE = b"<!doctype html><title>Seedwatch</title><p>%s You can close this page.</p>"


def authorize_by_browser(
    client: OAuthClient,
    show: Callable[[str], None],
    *,
    limit: timedelta,
    address: str = "",
    port: int = 0,
) -> Grant:
    """Let a person agree in a browser on this machine.

    Raises:
        MailboxLockedError: no agreement in time, or the provider refuses us.
        MailboxBusyError: no answer from the provider.
        BadInputError: the application has no address for this, or the port is taken.
    """
    app = client.app
    if not app.authorize_address:
        raise BadInputError(
            "authorize_url", "", "is missing", remedy="Give it in the [oauth] section."
        )
    state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    with _listener(state, port) as listener:
        # Entra ID takes any port of a redirect to "localhost", and of no other name.
        name = "localhost" if app.kind == MICROSOFT else _HOST
        redirect = f"http://{name}:{listener.server_address[1]}/"
        url = _address(app, redirect, state=state, verifier=verifier, address=address)
        show(f"Open this address in a browser on this machine: {url}")
        answer = listener.wait(limit)
    if "code" not in answer:
        error = answer.get("error", "")
        if error == "access_denied":
            raise MailboxLockedError(
                "the person did not agree.", remedy="Run the command once more."
            )
        raise client.refused(error)
    return client.redeem(
        {
            "grant_type": "authorization_code",
            "code": answer["code"],
            "redirect_uri": redirect,
            "code_verifier": verifier,
        }
    )


def _address(app: OAuthApp, redirect: str, *, state: str, verifier: str, address: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    query = {
        "response_type": "code",
        "client_id": app.client_id,
        "redirect_uri": redirect,
        "scope": " ".join(app.scopes),
        "state": state,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    if app.kind == MICROSOFT:
        query["scope"] = " ".join([*app.own_scopes, "offline_access"])
    if app.kind == GOOGLE:  # else it gives a refresh token the first time only
        query |= {"access_type": "offline", "prompt": "consent"}
    if address:
        query["login_hint"] = address
    return f"{app.authorize_address}?{urlencode(query)}"


def _listener(state: str, port: int) -> "_Listener":
    try:
        return _Listener(state, port)
    except OSError as error:
        raise BadInputError(
            "port", str(port), "is taken", remedy="Name another, or none."
        ) from error


class _Listener(TCPServer):
    """Waits on the loopback for the one request that bears our state.

    The library's own HTTP server would first look up this machine's name.
    """

    allow_reuse_address = True

    def __init__(self, state: str, port: int) -> None:
        super().__init__((_HOST, port), _Handler)
        self._state = state
        self.answer: dict[str, str] = {}

    def wait(self, limit: timedelta) -> Mapping[str, str]:
        """Return the provider's answer, as the browser brings it.

        Raises:
            MailboxLockedError: it did not come within *limit*.
        """
        ends = monotonic() + limit.total_seconds()
        for _ in range(_MAX_REQUESTS):
            self.timeout = ends - monotonic()
            if self.timeout <= 0:
                break
            self.handle_request()
            if self.answer:
                return self.answer
        raise MailboxLockedError("nobody agreed in time.", remedy="Run the command once more.")

    def take(self, target: str) -> bool:
        """Keep what *target* brings, if it bears our state: others may knock here too."""
        try:
            found = dict(parse_qsl(urlsplit(target).query, max_num_fields=20))
        except ValueError:
            return False
        state = found.get("state", "")
        is_ours = secrets.compare_digest(state.encode(), self._state.encode())
        if is_ours and ("code" in found or "error" in found):
            self.answer = found
        return bool(self.answer)

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that goes away is no trouble of ours."""


class _Handler(BaseHTTPRequestHandler):
    timeout = _REQUEST_S
    server: _Listener

    def do_GET(self) -> None:
        is_taken = self.server.take(self.path)
        page = _PAGE % (b"Thank you." if is_taken else b"This is not the answer we wait for.")
        self.send_response(200 if is_taken else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        """The address bears the code: it is not logged."""
