"""The tenant's side of Microsoft 365 in the shape of Microsoft Graph v1.0.

Paths, parameters, field names and errors follow learn.microsoft.com; what is not in
that shape is refused, so that a reader that works here asks rightly there too.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.lab.advisories import issues
from monitor.lab.graph_mail import answer_mail
from monitor.lab.httpd import Request, Response
from monitor.lab.hunting import hunt
from monitor.lab.message_trace import trace
from monitor.lab.pages import GraphError
from monitor.lab.providers import PROFILES
from monitor.lab.rules import Action
from monitor.lab.world import World

TOKEN_LIFE = timedelta(seconds=3599)
RETRY_AFTER_S = 30


@dataclass(frozen=True, slots=True)
class Tenant:
    """What an administrator would have registered for us."""

    id: str
    client_id: str
    client_secret: str


class Graph:
    """Answers a tenant's requests. Called under `World.lock`."""

    def __init__(self, world: World, tenant: Tenant) -> None:
        self._world = world
        self._tenant = tenant
        self._tokens: dict[str, datetime] = {}  # token -> when it expires

    def answer(self, request: Request) -> Response | None:
        """Answer what is ours; None if the path is not."""
        is_token = request.path.endswith("/oauth2/v2.0/token")
        route = ROUTES.get(request.path)
        if not is_token and not request.path.startswith("/v1.0/"):
            return None
        try:
            if is_token:
                return self._token(request)
            self._check_token(request)
            self._check_pace()
            mail = answer_mail(self._world, request)
            if mail is not None:
                return mail
            if route is None:
                raise GraphError(400, "BadRequest", f"Resource not found for {request.path}")
            method, handler = route
            if request.method != method:
                raise GraphError(405, "MethodNotAllowed", f"{request.method} is not supported")
            return Response.of_json(handler(self._world, request))
        except GraphError as error:
            return error.response()

    def _token(self, request: Request) -> Response:
        """The client credentials grant (RFC 6749 section 4.4) as Entra ID speaks it."""
        form = request.form()
        problem = self._token_problem(request, form)
        if problem is not None:
            status, code, text = problem
            return Response.of_json({"error": code, "error_description": text}, status=status)
        self._tokens = {t: at for t, at in self._tokens.items() if at > self._world.now()}
        seed = f"{self._world.seed} {self._world.next_number()} {self._tenant.client_secret}"
        token = hashlib.blake2b(seed.encode(), digest_size=32).hexdigest()
        self._tokens[token] = self._world.now() + TOKEN_LIFE
        life = int(TOKEN_LIFE.total_seconds())
        return Response.of_json(
            {
                "token_type": "Bearer",
                "expires_in": life,
                "ext_expires_in": life,
                "access_token": token,
            }
        )

    def _token_problem(self, request: Request, form: dict[str, str]) -> tuple[int, str, str] | None:
        here = f"/{self._tenant.id}/oauth2/v2.0/token"
        checks: list[tuple[bool, int, str, str]] = [
            (request.method == "POST", 405, "invalid_request", "900561: Only POST is accepted."),
            (request.path == here, 400, "invalid_request", "90002: Tenant not found."),
            (
                form.get("grant_type") == "client_credentials",
                400,
                "unsupported_grant_type",
                "70003: The grant type is not supported.",
            ),
            (
                form.get("client_id") == self._tenant.client_id,
                400,
                "unauthorized_client",
                "700016: Application not found.",
            ),
            (
                form.get("client_secret") == self._tenant.client_secret,
                401,
                "invalid_client",
                "7000215: Invalid client secret provided.",
            ),
            (
                form.get("scope") == f"{self._world.api_url}/.default",
                400,
                "invalid_scope",
                "70011: The provided scope is not valid.",
            ),
        ]
        wrong = (check for check in checks if not check[0])
        return next(((status, code, f"AADSTS{text}") for _, status, code, text in wrong), None)

    def _check_token(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        expires = self._tokens.get(token) if scheme.lower() == "bearer" else None
        if expires is None:
            raise GraphError(401, "InvalidAuthenticationToken", "Access token is empty or invalid.")
        if expires <= self._world.now():
            raise GraphError(
                401, "InvalidAuthenticationToken", "Lifetime validation failed, token is expired."
            )

    def _check_pace(self) -> None:
        rule = next(self._world.rules(PROFILES["microsoft365"], Action.API_BUSY), None)
        if rule is not None:
            wait_s = int(rule.delay.total_seconds()) if rule.delay else RETRY_AFTER_S
            raise GraphError(429, "TooManyRequests", "Too many requests.", retry_after_s=wait_s)


Route = Callable[[World, Request], dict[str, object]]
ROUTES: dict[str, tuple[str, Route]] = {
    "/v1.0/admin/exchange/tracing/messageTraces": ("GET", trace),
    "/v1.0/admin/serviceAnnouncement/issues": ("GET", issues),
    "/v1.0/security/runHuntingQuery": ("POST", hunt),
}
