"""Delivery reports ("bounces"): what became of a message, for each recipient.

Source: RFC 3464 (message/delivery-status), RFC 3461, RFC 6522 (multipart/report) and
RFC 6533 (the same in UTF-8). Its fields are the same in every language, so the sentences
around them are not read. Reports from before, or without it, are read by `bounce_text`.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from monitor.evidence import bounce_text, enhanced, fields, hops, parts, smtp_replies
from monitor.evidence.fields import HeaderField, first
from monitor.evidence.parts import Part
from monitor.evidence.smtp_replies import Known

MAX_RECIPIENTS = 100
MAX_GROUPS = 2 * MAX_RECIPIENTS  # some systems put empty ones between
MAX_TEXT = 1000  # characters of a diagnostic

_STATUS = frozenset({"message/delivery-status", "message/global-delivery-status"})
_ORIGINAL = frozenset(
    {"message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers"}
)
_OF_RECIPIENT = frozenset({"final-recipient", "original-recipient", "action", "status"})
_TYPED = re.compile(r"\s{0,20}([A-Za-z0-9/-]{1,30})\s{0,5};\s{0,20}(.{0,2000})", re.DOTALL)
_JAPANESE = (b"\x1b$B", b"\x1b$@")
_BLANK = re.compile(rb"\n[ \t\r]{0,20}\n")


@dataclass(frozen=True, slots=True)
class Recipient:
    """What became of the message for one address; None stands for what is not said.

    `action` is failed, delayed, delivered, relayed or expanded, or what stood there.
    """

    address: str
    action: str | None
    status: str | None
    diagnostic: str | None
    remote_mta: str | None = None
    original_address: str | None = None
    last_attempt_at: datetime | None = None
    retry_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A delivery report. `form` says how it was written: rfc3464, qmail or text."""

    form: str
    recipients: tuple[Recipient, ...]
    reporting_mta: str | None = None
    envelope_id: str | None = None
    arrived_at: datetime | None = None
    original_message_id: str | None = None
    original_subject: str | None = None


def read(raw: bytes) -> Report | None:
    """Read a whole message as a delivery report; None if it is none. Never raises.

    At most `parts.MAX_BYTES` are read. Receipts that a person's mail program writes and
    complaints (report-type disposition-notification and feedback-report) are none.
    """
    leaves = parts.split(raw)
    status = next((part for part in leaves if part.type in _STATUS), None)
    original = next((part for part in leaves if part.type in _ORIGINAL), None)
    standard = _standard(status, original) if status is not None else None
    if standard is not None and standard.recipients:
        return standard
    block = fields.parse(raw)
    texts = [part for part in leaves if part.type == "text/plain"]
    found = bounce_text.read(block, texts[0].text()) if texts else None
    if found is None:
        return standard
    head = fields.parse(original.decoded()) if original else found.original
    return Report(
        form=found.form,
        recipients=tuple(
            _in_words(address, words, is_final=found.is_final)
            for address, words in found.recipients[:MAX_RECIPIENTS]
        ),
        original_message_id=_id(head),
        original_subject=_subject(head),
    )


def told(report: Report, known: Sequence[Known]) -> dict[str, object]:
    """Write *report* for JSON, each recipient with what its reply means."""
    found = asdict(report) | {"arrived_at": _iso(report.arrived_at)}
    found["recipients"] = [_told(one, known) for one in report.recipients]
    return found


def _told(one: Recipient, known: Sequence[Known]) -> dict[str, object]:
    found = asdict(one) | {
        "last_attempt_at": _iso(one.last_attempt_at),
        "retry_until": _iso(one.retry_until),
    }
    words = one.diagnostic or ""
    # The status counts where the words hold no code of their own.
    spoken = words if enhanced.find(words) else f"{words} {one.status or ''}"
    reply = smtp_replies.read(spoken, known, one.remote_mta or "")
    found |= {key: value for key, value in asdict(reply).items() if key not in {"status", "code"}}
    found["code"] = reply.code
    status = enhanced.find(one.status or "") or enhanced.find(words)
    found["status_meaning"] = status.meaning if status else None
    return found


def _standard(status: Part, original: Part | None) -> Report:
    texts = _BLANK.split(_in_utf8(status.decoded()), MAX_GROUPS)[:MAX_GROUPS]
    groups = [group for text in texts if (group := fields.parse(text.strip(b"\r\n")))]
    head = groups[0] if groups else []
    recipients = [_recipient(group) for group in groups if _is_recipient(group)]
    source = fields.parse(original.decoded()) if original else []
    return Report(
        form="rfc3464",
        recipients=tuple(recipients[:MAX_RECIPIENTS]),
        reporting_mta=_typed(first(head, "Reporting-MTA")),
        envelope_id=_short(first(head, "Original-Envelope-Id")),
        arrived_at=hops.moment(first(head, "Arrival-Date") or ""),
        original_message_id=_id(source),
        original_subject=_subject(source),
    )


def _in_utf8(raw: bytes) -> bytes:
    """Japanese systems write ISO-2022-JP in there, which its escape sequences tell."""
    is_japanese = any(sequence in raw for sequence in _JAPANESE)
    return raw.decode("iso2022_jp", "replace").encode() if is_japanese else raw


def _is_recipient(group: Sequence[HeaderField]) -> bool:
    return any(field.key in _OF_RECIPIENT for field in group)


def _recipient(group: Sequence[HeaderField]) -> Recipient:
    final, original = _typed(first(group, "Final-Recipient")), first(group, "Original-Recipient")
    status = enhanced.find(first(group, "Status") or "")
    action = (first(group, "Action") or "").split("(")[0].strip().lower()
    return Recipient(
        address=(final or _typed(original) or "").strip("<> "),
        original_address=(_typed(original) or "").strip("<> ") or None,
        action=action[:30] or None,
        status=status.code if status else None,
        diagnostic=_typed(first(group, "Diagnostic-Code")),
        remote_mta=_typed(first(group, "Remote-MTA")),
        last_attempt_at=hops.moment(first(group, "Last-Attempt-Date") or ""),
        retry_until=hops.moment(first(group, "Will-Retry-Until") or ""),
    )


def _typed(value: str | None) -> str | None:
    """What follows the type in "dns; mx.example.net", or all where there is no type."""
    match = _TYPED.match(value or "")
    return _short(match[2] if match else value)


def _short(value: str | None) -> str | None:
    text = " ".join((value or "").split())[:MAX_TEXT]
    return text or None


def _in_words(address: str, words: str, *, is_final: bool) -> Recipient:
    """A recipient of a report in plain text; a mere delay cannot be told from the rest."""
    status = enhanced.find(words)
    code = smtp_replies.code_of(words)
    has_failed = is_final or (status.is_permanent if status else (code or 0) >= 500)
    return Recipient(
        address=address,
        action="failed" if has_failed else None,
        status=status.code if status else None,
        diagnostic=_short(words),
    )


def _id(block: Iterable[HeaderField]) -> str | None:
    return _short(first(block, "Message-ID"))


def _subject(block: Iterable[HeaderField]) -> str | None:
    return _short(fields.decoded_words(first(block, "Subject") or ""))


def _iso(at: datetime | None) -> str | None:
    return at.isoformat().replace("+00:00", "Z") if at else None
