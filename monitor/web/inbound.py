"""The web hook by which systems behind seeds report what they received.

What is understood: a whole message (message/rfc822); SendGrid Inbound Parse with "POST the raw,
full MIME message" (twilio.com/docs/sendgrid, "Setting up the Inbound Parse Webhook"); Mailgun
routes to an address that ends in "mime" (documentation.mailgun.com, "Receiving, forwarding and
storing messages"); Postmark inbound with raw e-mail content (postmarkapp.com, "Inbound
webhook"); and JSON of our own. Nobody who comes here has a session, so there is no CSRF token:
the key in the address is what proves who calls.
"""

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from flask import Blueprint, Response, abort, request
from werkzeug.exceptions import RequestEntityTooLarge

from monitor.core.addresses import AddressError, checked_address
from monitor.store import inbound as rows
from monitor.web.parts import parts

pages = Blueprint("inbound", __name__)

MAX_BYTES = 1024 * 1024  # of one report
MAX_RECIPIENTS = 20
MAX_FOLDER = 300
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class ReportError(Exception):
    """A report that is not taken: why, and what to change."""

    def __init__(self, status: HTTPStatus, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Report:
    """One message, to whom it came, and in which folder it lies ("": the inbox)."""

    addresses: tuple[str, ...]
    folder: str
    raw: bytes


@pages.route("/inbound/<key>", methods=METHODS)
def report(key: str) -> Response:
    """Keep a message that was received for a seed with the reader "inbound"."""
    ours = parts().inbound_key
    if not (ours and hmac.compare_digest(key.encode(), ours.encode())):
        abort(HTTPStatus.NOT_FOUND)
    request.max_content_length = request.max_form_memory_size = MAX_BYTES
    try:
        return _keep(_read())
    except RequestEntityTooLarge:
        detail = f"A report may have {MAX_BYTES} bytes."
        return _problem(ReportError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", detail))
    except ReportError as error:
        return _problem(error)


def _keep(told: Report) -> Response:
    with parts().session() as session:
        seeds = rows.reporting_seeds(session, told.addresses)
        if not seeds:  # nobody's mail but that of seeds is kept
            raise ReportError(
                HTTPStatus.NOT_FOUND,
                "no_such_seed",
                'None of the recipients is a seed with the reader "inbound". '
                "Import it: seedwatch seeds import.",
            )
        now = parts().clock.now()
        new = [rows.keep(session, seed, told.folder, told.raw, now=now) for seed in seeds]
        session.commit()
    return _json({"seeds": seeds, "new": sum(new)}, HTTPStatus.OK)


def _read() -> Report:
    """Understand what was sent, by its type."""
    if request.method != "POST":
        raise ReportError(HTTPStatus.METHOD_NOT_ALLOWED, "not_post", "Use POST.")
    kind = request.mimetype
    if kind == "message/rfc822":
        told = Report((request.args.get("address", ""),), "", request.get_data())
    elif kind in {"multipart/form-data", "application/x-www-form-urlencoded"}:
        told = _of_form(request.form)
    elif kind == "application/json":
        told = _of_json(request.get_data())
    else:
        raise ReportError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "unknown_type",
            "Send message/rfc822, multipart/form-data or application/json.",
        )
    folder = request.args.get("folder") or told.folder
    return Report(_checked(told.addresses), _named(folder), _whole(told.raw))


def _of_form(form: Mapping[str, str]) -> Report:
    """SendGrid: email and envelope; Mailgun: body-mime and recipient."""
    folder = form.get("folder", "")
    if "email" in form:
        envelope = _object(form.get("envelope", "{}"), "envelope")
        to = envelope.get("to")
        named = tuple(str(one) for one in to) if isinstance(to, list) else ()
        return Report(named, folder, _bytes(form["email"]))
    if "body-mime" in form:
        named = tuple(form.get("recipient", "").split(","))
        return Report(named, folder, _bytes(form["body-mime"]))
    raise _bad(
        "no_message",
        "There is no raw message: SendGrid sends it as 'email', Mailgun as 'body-mime', where "
        "they are told to.",
    )


def _of_json(data: bytes) -> Report:
    """Postmark: RawEmail and OriginalRecipient; our own: address, folder and raw in base64."""
    told = _object(data, "document")
    folder = _text(told, "folder")
    if "RawEmail" in told:
        return Report((_text(told, "OriginalRecipient"),), folder, _bytes(_text(told, "RawEmail")))
    if "raw" not in told:
        raise _bad("no_message", "There is neither 'raw' (base64) nor Postmark's 'RawEmail'.")
    try:
        raw = base64.b64decode(_text(told, "raw"), validate=True)
    except (binascii.Error, ValueError):
        raise _bad("bad_base64", "'raw' is not base64.") from None
    return Report((_text(told, "address"),), folder, raw)


def _object(data: str | bytes, what: str) -> Mapping[str, object]:
    try:
        told = json.loads(data)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise _bad("bad_json", f"The {what} is no JSON object.")
    return told


def _text(told: Mapping[str, object], key: str) -> str:
    value = told.get(key, "")
    if not isinstance(value, str):
        raise _bad("bad_field", f"'{key}' is no text.")
    return value


def _bytes(text: str) -> bytes:
    """The bytes of a message that came as text; what is no text is replaced."""
    return text.encode("utf-8", "replace")


def _checked(addresses: tuple[str, ...]) -> tuple[str, ...]:
    found = []
    for address in addresses[:MAX_RECIPIENTS]:
        try:
            found.append(checked_address(address.strip().strip("<>")))
        except (AddressError, ValueError):
            continue
    if not found:
        raise _bad("no_address", "No recipient is named, or none that is an address.")
    return tuple(found)


def _named(folder: str) -> str:
    if len(folder) > MAX_FOLDER or not folder.isprintable():
        raise _bad("bad_folder", f"A folder's name has at most {MAX_FOLDER} plain characters.")
    return folder.strip()


def _whole(raw: bytes) -> bytes:
    if not raw.strip():
        raise _bad("no_message", "The message is empty.")
    return raw


def _bad(code: str, detail: str) -> ReportError:
    return ReportError(HTTPStatus.BAD_REQUEST, code, detail)


def _problem(error: ReportError) -> Response:
    """Answer as RFC 9457 says."""
    told = {
        "type": "about:blank",
        "title": error.status.phrase,
        "status": int(error.status),
        "detail": error.detail,
        "code": error.code,
    }
    answer = _json(told, error.status)
    answer.mimetype = "application/problem+json"
    if error.status is HTTPStatus.METHOD_NOT_ALLOWED:
        answer.headers["Allow"] = "POST"
    return answer


def _json(document: Mapping[str, object], status: HTTPStatus) -> Response:
    return Response(json.dumps(document) + "\n", status, mimetype="application/json")
