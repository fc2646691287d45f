"""Who comes in: each request brings a key, and a key opens what its scopes say."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import ParamSpec

from flask import Blueprint, Response, g, request

from monitor.core.scopes import Scope
from monitor.store import api_keys
from monitor.store.api_keys import Holder
from monitor.web.api.answers import ApiError, problem
from monitor.web.parts import parts

PREFIX = "/api/v1"
MOST_OPEN = 2000  # incidents that are looked through: of the closed ones there are ever more
api = Blueprint("api", __name__, url_prefix=PREFIX)

P = ParamSpec("P")

_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="seedwatch"'}


@api.before_request
def _let_in() -> None:
    kind, _, key = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not key:
        detail = "Send a key as a header, Authorization: Bearer KEY. seedwatch keys create NAME"
        raise ApiError(HTTPStatus.UNAUTHORIZED, "no_key", detail, _CHALLENGE)
    with parts().session() as session:
        found = api_keys.holder_of(session, key.strip(), now=parts().clock.now())
        session.commit()
    if found is None:
        detail = "This key is not known, expired or revoked. seedwatch keys list shows all."
        raise ApiError(HTTPStatus.UNAUTHORIZED, "bad_key", detail, _CHALLENGE)
    g.holder = found


@api.errorhandler(ApiError)
def _refused(error: ApiError) -> Response:
    return problem(error)


def needs(scope: Scope) -> Callable[[Callable[P, Response]], Callable[P, Response]]:
    """Let a view be reached only with a key that has *scope*."""

    def guard(view: Callable[P, Response]) -> Callable[P, Response]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> Response:
            if scope not in holder().scopes:
                detail = f"This key may not do that: it lacks the scope {scope.value}."
                raise ApiError(HTTPStatus.FORBIDDEN, "scope_missing", detail)
            return view(*args, **kwargs)

        return guarded

    return guard


def holder() -> Holder:
    """Return who makes this request."""
    found = g.holder
    if not isinstance(found, Holder):
        raise TypeError("this request has passed no door")
    return found
