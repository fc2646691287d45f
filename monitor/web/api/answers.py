"""What the API reads and answers: bounded JSON, and problems as RFC 9457 says."""

import json
import re
import uuid
from collections.abc import Mapping, Set
from http import HTTPStatus

from flask import Response, g, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

MAX_BYTES = 1024 * 1024  # of a request
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class ApiError(Exception):
    """A request that is not done: why, and what to change.

    Args:
        code: stable, for programs; `detail` is for people and may change.
    """

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers or {}


def bad(code: str, detail: str) -> ApiError:
    """A request that cannot be understood."""
    return ApiError(HTTPStatus.BAD_REQUEST, code, detail)


def missing(code: str, detail: str) -> ApiError:
    """Something that is not there, or not the caller's: it cannot tell which."""
    return ApiError(HTTPStatus.NOT_FOUND, code, detail)


def request_id() -> str:
    """The caller's own X-Request-Id if it is a plain word, or else one of ours."""
    if "request_id" not in g:
        theirs = request.headers.get("X-Request-Id", "")
        g.request_id = theirs if _REQUEST_ID.fullmatch(theirs) else uuid.uuid4().hex
    return str(g.request_id)


def answer(document: Mapping[str, object], status: HTTPStatus = HTTPStatus.OK) -> Response:
    """Return *document* as JSON; times in it have been written as text."""
    told = Response(json.dumps(document) + "\n", status, mimetype="application/json")
    told.headers["X-Request-Id"] = request_id()
    return told


def problem(error: ApiError) -> Response:
    """Return *error* as a problem document."""
    told = answer(
        {
            "type": "about:blank",
            "title": error.status.phrase,
            "status": int(error.status),
            "detail": error.detail,
            "code": error.code,
            "request_id": request_id(),
        },
        error.status,
    )
    told.mimetype = "application/problem+json"
    told.headers.update(error.headers)
    return told


def problem_of(error: HTTPException) -> Response:
    """Return what Flask itself refused as a problem document; its code is the status' name."""
    status = HTTPStatus(error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
    detail = {
        HTTPStatus.NOT_FOUND: "There is no such resource. docs/api.md lists all.",
        HTTPStatus.INTERNAL_SERVER_ERROR: "This could not be done. The reason is in the log.",
    }.get(status, status.description or f"{status.phrase}.")
    allowed = getattr(error, "valid_methods", None)
    headers = {"Allow": ", ".join(sorted(allowed))} if allowed else {}
    return problem(ApiError(status, status.name.lower(), detail, headers))


def body(known: Set[str]) -> dict[str, object]:
    """Return the JSON object that was sent; {} for no body.

    Raises:
        ApiError: too large, no JSON object, or a field that is not in *known*.
    """
    request.max_content_length = MAX_BYTES
    try:
        data = request.get_data()
    except RequestEntityTooLarge:
        detail = f"A request may have {MAX_BYTES} bytes."
        raise ApiError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", detail) from None
    if not data.strip():
        return {}
    if request.mimetype != "application/json":
        detail = "Send JSON, with Content-Type: application/json."
        raise ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "not_json", detail)
    try:
        told = json.loads(data)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise bad("bad_json", "The body is no JSON object.")
    unknown = sorted(told.keys() - known)
    if unknown:
        fields = ", ".join(sorted(known)) or "none"
        raise bad("unknown_field", f"There is no field {unknown[0][:80]!r}; known are: {fields}.")
    return told
