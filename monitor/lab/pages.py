"""What the Graph-shaped routes share: errors, times, paging."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import urlencode

from monitor.lab.httpd import Request, Response


class GraphError(Exception):
    """An error in Graph's own shape."""

    def __init__(self, status: int, code: str, text: str, *, retry_after_s: int = 0) -> None:
        super().__init__(text)
        self.status = status
        self.code = code
        self.text = text
        self.retry_after_s = retry_after_s

    def response(self) -> Response:
        headers = {}
        if self.status == 401:
            headers["WWW-Authenticate"] = 'Bearer realm="", error="invalid_token"'
        if self.retry_after_s:
            headers["Retry-After"] = str(self.retry_after_s)
        body = {"error": {"code": self.code, "message": self.text, "innerError": {}}}
        return Response.of_json(body, status=self.status, headers=headers)


def utc(moment: datetime) -> str:
    """Write a moment as Graph does."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_utc(text: str) -> datetime:
    """Read a moment with its zone; 400 if it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise GraphError(400, "BadRequest", f"Invalid DateTimeOffset {text[:40]!r}") from error
    if moment.tzinfo is None:
        raise GraphError(400, "BadRequest", f"Invalid DateTimeOffset {text[:40]!r}")
    return moment.astimezone(UTC)


def check_options(request: Request, known: set[str]) -> None:
    """Refuse query options that this route does not know."""
    for name in request.query:
        if name not in known:
            raise GraphError(400, "BadRequest", f"The query option {name[:40]!r} is not supported.")


def whole(text: str, *, low: int, high: int, what: str) -> int:
    """Read a bounded whole number; 400 if it is none."""
    if not text.isdecimal() or len(text) > 9 or not low <= int(text) <= high:
        raise GraphError(400, "BadRequest", f"Invalid {what}.")
    return int(text)


def page(
    rows: Sequence[Mapping[str, object]], request: Request, *, base: str, size: int
) -> dict[str, object]:
    """Cut one page out of *rows*; the link to the next one stands in it, if there is one."""
    token = request.query.get("$skiptoken", "0")
    start = whole(token, low=0, high=999_999_999, what="$skiptoken")
    cut = rows[start : start + size]
    answer: dict[str, object] = {"@odata.context": f"{base}/v1.0/$metadata", "value": list(cut)}
    if start + size < len(rows):
        query = {**request.query, "$skiptoken": str(start + size)}
        answer["@odata.nextLink"] = f"{base}{request.path}?{urlencode(query)}"
    return answer
