"""Build the Flask app: pages, error pages, and headers that keep strangers out."""

import re
from http import HTTPStatus
from types import TracebackType

from flask import Flask, Response, abort, render_template, request
from jinja2 import StrictUndefined
from werkzeug.exceptions import HTTPException

from monitor import rendering
from monitor.core.placements import Placement
from monitor.web import (
    advisories,
    api,
    health,
    inbound,
    incidents,
    links,
    outbox,
    overview,
    status,
    tests,
)
from monitor.web.advice import advice
from monitor.web.api.answers import problem_of
from monitor.web.charts import bar, bar_told, chart_table, spark
from monitor.web.filters import FILTERS
from monitor.web.parts import KEY, Parts, parts
from monitor.web.shares import ProviderState
from monitor.web.verdict import (
    confidence,
    fault,
    feature_words,
    likeliest,
    placements_told,
    stage,
    whom,
)

# Nothing from outside this machine is ever loaded; `connect-src` lets a page ask for
# itself again.
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_EXPLAINED = {
    HTTPStatus.NOT_FOUND: (
        "There is no such page.",
        "The address may be mistyped, or what it named is no longer kept.",
    ),
    HTTPStatus.INTERNAL_SERVER_ERROR: (
        "This page could not be made.",
        "The reason is in the log. Other pages may work; seedwatch doctor says what is wrong.",
    ),
}

_WORDS = {
    "bar": bar,
    "bar_told": bar_told,
    "chart_table": chart_table,
    "placements_told": placements_told,
    "likeliest": likeliest,
    "spark": lambda view: spark(view.chart, view.name),
    "confidence": confidence,
    "fault": fault,
    "stage": stage,
    "whom": whom,
    "feature_words": feature_words,
}

_KEY_IN_ADDRESS = {inbound.pages.name, links.pages.name}


class _Dashboard(Flask):
    """A Flask app that logs of a failure which page it was, and not the key in its address."""

    def log_exception(
        self, exc_info: tuple[type, BaseException, TracebackType] | tuple[None, None, None]
    ) -> None:
        page = request.url_rule if request.blueprint in _KEY_IN_ADDRESS else request.path
        self.logger.error("Exception on %s [%s]", page, request.method, exc_info=exc_info)


def create_app(parts: Parts) -> Flask:
    """Return the dashboard; it reads through *parts*, and only the web hook writes."""
    app = _Dashboard(__name__, template_folder=None)
    app.extensions[KEY] = parts
    app.config.update(MAX_CONTENT_LENGTH=64 * 1024)
    app.jinja_options = {"undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    app.jinja_loader = rendering.environment(parts.templates_dir).loader
    app.jinja_env.filters.update(FILTERS | _WORDS)
    for room in (overview, tests, incidents, advisories, links, outbox, status):
        app.register_blueprint(room.pages)
    app.register_blueprint(health.pages)
    app.register_blueprint(inbound.pages)
    app.register_blueprint(api.api)
    app.register_error_handler(HTTPException, _error_page)
    app.before_request(_check)
    app.after_request(_finish)
    app.context_processor(lambda: _shared(parts))
    return app


def _shared(parts: Parts) -> dict[str, object]:
    """What every template may use."""
    return {
        "now": parts.clock.now(),
        "banner": parts.banner,
        "provider_name": parts.provider_name,
        "advice": lambda incident: advice(incident, parts.facts),
        "Placement": Placement,
        "ProviderState": ProviderState,
    }


def _check() -> Response | None:
    """Refuse a name that is not ours (werkzeug's check knows no IPv6) and what no row can hold."""
    if request.endpoint == "health.healthz":
        return None
    if re.sub(r":\d*$", "", request.host).lower() not in parts().hosts:
        told = "This name is not served here. Ask for the address that seedwatch serve printed.\n"
        return Response(told, HTTPStatus.MISDIRECTED_REQUEST, mimetype="text/plain")
    if "\x00" in request.path or any("\x00" in value for value in request.args.values()):
        abort(HTTPStatus.NOT_FOUND)
    return None


def _error_page(error: HTTPException) -> Response:
    """Say what went wrong in our own words; the visitor's are not repeated."""
    if request.path.startswith(f"{api.PREFIX}/"):
        return problem_of(error)
    status = HTTPStatus(error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
    title, remedy = _EXPLAINED.get(status, (f"{status.phrase}.", status.description))
    page = render_template("web/error.html", status=status, title=title, remedy=remedy)
    answer = Response(page, status)
    allowed = getattr(error, "valid_methods", None)
    if allowed:
        answer.headers["Allow"] = ", ".join(sorted(allowed))
    return answer


def _finish(response: Response) -> Response:
    response.headers.update(_HEADERS)
    if request.endpoint == "static":
        return response
    response.headers.setdefault("Cache-Control", "private, no-cache")
    if response.status_code == HTTPStatus.OK and request.method in {"GET", "HEAD"}:
        response.add_etag(weak=True)
        response.make_conditional(request)
    return response
