"""Delivery reports that are plain text: qmail, Exim, GMX, older Gmail and Exchange.

Guessing would make bounces of people's mail, so a text counts only if a mail system sent it
(an empty return path or a daemon's address) and if it has one of these shapes:

- qmail's (D. J. Bernstein, QSBMF): "Hi. This is the", then paragraphs "<address>:" and why;
- an X-Failed-Recipients field, as Exim and Gmail write it;
- a paragraph that begins with an address, alone on its line or before a colon, and holds
  an SMTP code, or comes from a daemon and stands above the header of a returned message.

So the language of the sentences between does not matter.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.evidence import enhanced, fields
from monitor.evidence.fields import HeaderField, first

MAX_LINES = 500
MAX_LINE = 500
MAX_RECIPIENTS = 100
MAX_WORDS = 1000

_DAEMONS = frozenset({"mailer-daemon", "postmaster", "mail-daemon", "mdaemon"})
_ADDRESS = re.compile(r"[^\s<>\"'@:;,()]{1,64}@[A-Za-z0-9.-]{1,253}")
_ANGLE = re.compile(r"<([^<>]{1,320})>")
_ADDRESS_LINE = re.compile(
    r"\s{0,20}[<\"']?([^\s<>\"'@:;,]{1,64}@[A-Za-z0-9.-]{1,253})[>\"']?\s{0,5}(?:(?::\s{0,5})?|:\s{1,5}(\S.{0,500}))"
)
_EXCHANGE_LINE = re.compile(
    r"\s{0,20}([^\s<>\"'@:;,]{1,64}@[A-Za-z0-9.-]{1,253})\s{1,5}on\s.{5,80}"
)
_REPLY = re.compile(r"(?<![\w.])[45]\d\d[ -](?=\S)")
_SEPARATOR = re.compile(r"\s{0,5}-{3,}\s{0,5}\S.{0,100}")


@dataclass(frozen=True, slots=True)
class Bounce:
    """Recipients with the words about each, and the header of the returned message.

    It `is_final` where its shape says so; without, a code of 4 may be a mere delay.
    """

    form: str  # qmail or text
    is_final: bool
    recipients: tuple[tuple[str, str], ...]
    original: tuple[HeaderField, ...]


def read(block: Sequence[HeaderField], text: str) -> Bounce | None:
    """Read a message's header block and its plain text; None if it is no report.

    Never raises; looks at the first MAX_LINES lines.
    """
    if not is_from_a_system(block):
        return None
    lines = [line[:MAX_LINE] for line in text.splitlines()[:MAX_LINES]]
    cut = next((i for i, line in enumerate(lines) if _SEPARATOR.fullmatch(line)), len(lines))
    original = tuple(fields.parse("\n".join(lines[cut + 1 :]).lstrip("\n").encode()))
    is_qmail = any(line.startswith("Hi. This is the") for line in lines[:10])
    failed = _failed(block)
    recipients = _named(lines[:cut], failed) if failed else []
    if not failed:
        is_exchange = first(block, "X-MS-Embedded-Report") is not None
        found = _paragraphs(lines[:cut], _EXCHANGE_LINE if is_exchange else _ADDRESS_LINE)
        is_sure = is_exchange or is_qmail or (_is_from_a_daemon(block) and _is_a_message(original))
        named = [(one, words) for one, words in found.items() if is_sure or _has_code(words)]
        recipients = _with_reply(named, lines[:cut])
    if not recipients:
        return None
    form = "qmail" if is_qmail else "text"
    return Bounce(form, is_qmail or bool(failed), tuple(recipients[:MAX_RECIPIENTS]), original)


def is_from_a_system(block: Sequence[HeaderField]) -> bool:
    """Did a mail system send this, and no person? By return path or sender."""
    has_no_return = (first(block, "Return-Path") or "-").replace(" ", "") == "<>"
    return has_no_return or _is_from_a_daemon(block)


def _is_from_a_daemon(block: Sequence[HeaderField]) -> bool:
    # Not by the library: its address parser recurses as often as there are colons.
    sender = fields.without_comments((first(block, "From") or "")[:MAX_LINE])
    angle = _ANGLE.search(sender)
    address = angle[1] if angle else sender
    return address.strip().partition("@")[0].lower() in _DAEMONS


def _is_a_message(block: Sequence[HeaderField]) -> bool:
    return not {"message-id", "from"}.isdisjoint(field.key for field in block)


def _named(lines: Sequence[str], failed: Sequence[str]) -> list[tuple[str, str]]:
    """The recipients that a field names as failed, with the words about each."""
    found = _paragraphs(lines, _ADDRESS_LINE)
    recipients = [(one, found.get(one.lower(), "")) for one in failed]
    return _with_reply(recipients, lines)


def _with_reply(recipients: list[tuple[str, str]], lines: Sequence[str]) -> list[tuple[str, str]]:
    """Where there is one recipient, the reply may stand in a later paragraph (Gmail)."""
    if len(recipients) != 1 or _has_code(recipients[0][1]):
        return recipients
    return [(recipients[0][0], _line_with_code(lines) or recipients[0][1])]


def _paragraphs(lines: Sequence[str], pattern: re.Pattern[str]) -> dict[str, str]:
    """Words by address: what follows an address's own line, up to an empty one."""
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in lines:
        match = pattern.fullmatch(line)
        if match is not None:
            current = found.setdefault(match[1].lower(), [])
            if pattern is _ADDRESS_LINE and match[2]:
                current.append(match[2])
        elif not line.strip():
            # An empty line right after the address does not end its paragraph.
            current = current if current == [] else None
        elif current is not None:
            current.append(line.strip())
    return {address: " ".join(words)[:MAX_WORDS] for address, words in found.items()}


def _failed(block: Sequence[HeaderField]) -> list[str]:
    listed = _ADDRESS.finditer(first(block, "X-Failed-Recipients") or "")
    return [match[0] for _, match in zip(range(MAX_RECIPIENTS), listed, strict=False)]


def _line_with_code(lines: Sequence[str]) -> str:
    """The first line that holds an SMTP reply, with the next two that may continue it."""
    for index, line in enumerate(lines):
        if _has_code(line):
            return " ".join(part.strip() for part in lines[index : index + 3])[:MAX_WORDS]
    return ""


def _has_code(words: str) -> bool:
    return _REPLY.search(words) is not None or enhanced.find(words) is not None
