"""Is this installation alive? For load balancers and supervisors; needs no login."""

from datetime import timedelta
from http import HTTPStatus

from flask import Blueprint, Response, jsonify
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from monitor.core.errors import BadInputError
from monitor.store import jobs
from monitor.store.engine import is_current
from monitor.web.parts import Parts, parts

pages = Blueprint("health", __name__)

# Work that is this late is not being done: the worker is down or far behind.
_LATE = timedelta(minutes=15)


@pages.get("/healthz")
def healthz() -> tuple[Response, int]:
    """Answer 200 if the database answers, its schema fits, and due work is being done."""
    facts, trouble = _look(parts())
    if trouble:
        facts = {"status": "unhealthy", "reason": trouble, **facts}
        return jsonify(facts), HTTPStatus.SERVICE_UNAVAILABLE
    return jsonify({"status": "ok", **facts}), HTTPStatus.OK


def _look(parts: Parts) -> tuple[dict[str, object], str]:
    """Return what can be said, and what is wrong; an empty text if nothing is."""
    now = parts.clock.now()
    try:
        if not is_current(parts.engine):
            return (
                {"database": "reachable", "schema": "outdated"},
                "the database schema is not this version's: run seedwatch db upgrade",
            )
        with parts.session() as session:
            session.connection().execute(text("SELECT 1"))
            work, due_at = jobs.counts(session, now=now), jobs.next_due(session)
    except (SQLAlchemyError, BadInputError) as error:
        kind = type(error.__cause__ or error).__name__
        return {"database": "unreachable"}, f"the database does not answer ({kind})"
    late = max(timedelta(0), now - due_at) if due_at else timedelta(0)
    facts: dict[str, object] = {
        "database": "reachable",
        "schema": "current",
        "jobs": {"late": work.late, "dead": work.dead, "oldest_late_s": int(late.total_seconds())},
    }
    if late > _LATE:
        return facts, "due work is not being done: is a worker running? seedwatch doctor"
    return facts, ""
