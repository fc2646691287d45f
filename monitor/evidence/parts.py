"""The parts of a MIME message, as far as a delivery report needs them.

The standard library's parser builds the whole tree: a thousand nested parts exhaust its
recursion, and each line is compared with every boundary that is open. A report is flat, so
its parts are split by plain text, a few levels deep, in time linear in the message; for
transfer encodings and character sets the library is used.
"""

import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass

from monitor.evidence import fields
from monitor.evidence.fields import HeaderField, first

MAX_BYTES = 1024 * 1024
MAX_PARTS = 50
MAX_DEPTH = 3
MAX_DECODED = 256 * 1024

_BLANK_LINE = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_TYPE = re.compile(r"\s{0,20}([\w.+-]{1,60}/[\w.+-]{1,80})")
_PARAMETER = re.compile(
    r";\s{0,20}(boundary|charset|report-type)\s{0,5}=\s{0,5}(?:\"([^\"]{1,200})\"|([^\s;\"]{1,200}))",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Part:
    """A part without parts of its own; `type` is lower case, text/plain where none is said."""

    type: str
    report_type: str
    fields: tuple[HeaderField, ...]
    body: bytes  # as it was sent

    def decoded(self) -> bytes:
        """The body without its transfer encoding, cut at MAX_DECODED; never raises."""
        raw = self.body[:MAX_DECODED]
        encoding = (first(self.fields, "Content-Transfer-Encoding") or "").strip().lower()
        if encoding == "quoted-printable":
            return binascii.a2b_qp(raw)
        if encoding == "base64":
            try:
                return binascii.a2b_base64(raw)
            except binascii.Error:  # cut short, or no base64 at all
                return raw
        return raw

    def text(self) -> str:
        """The body as text, safe to print; what its character set cannot say is replaced."""
        charset = parameters(first(self.fields, "Content-Type") or "").get("charset", "utf-8")
        raw = self.decoded()
        try:
            return fields.printable(raw.decode(charset, "replace"))
        except (LookupError, ValueError):  # no such charset, or one that is no charset of texts
            return fields.printable(raw.decode("utf-8", "replace"))


def split(raw: bytes) -> list[Part]:
    """Return the leaves of a message in their order. Never raises.

    At most MAX_BYTES, MAX_PARTS and MAX_DEPTH levels are read; deeper, a multipart is a
    leaf itself. Attached messages are leaves too.
    """
    found: list[Part] = []
    for part in _leaves(raw[:MAX_BYTES], MAX_DEPTH, ""):
        found.append(part)
        if len(found) == MAX_PARTS:
            break
    return found


def parameters(content_type: str) -> dict[str, str]:
    """The boundary, charset and report-type of a Content-Type, the first of each."""
    found: dict[str, str] = {}
    for match in _PARAMETER.finditer(content_type[:2000]):
        found.setdefault(match[1].lower(), match[2] or match[3])
    return found


def _leaves(raw: bytes, depth: int, report_type: str) -> Iterator[Part]:
    head, body = _halves(raw)
    block = tuple(fields.parse(head))
    content_type = first(block, "Content-Type") or ""
    named = _TYPE.match(content_type)
    kind = named[1].lower() if named else "text/plain"
    known = parameters(content_type)
    boundary = known.get("boundary", "")
    report_type = known.get("report-type", "").lower() or report_type
    if not kind.startswith("multipart/") or not boundary or not depth:
        yield Part(kind, report_type, block, body)
        return
    mark = b"\n--" + boundary.encode("utf-8", "replace")
    for piece in (b"\n" + body).split(mark, MAX_PARTS + 1)[1:]:
        rest, _, inner = piece.partition(b"\n")
        if rest.startswith(b"--"):
            return
        yield from _leaves(inner.removesuffix(b"\r"), depth - 1, report_type)


def _halves(raw: bytes) -> tuple[bytes, bytes]:
    """Header block and body. A part may begin with the empty line: it has no header."""
    if raw[:1] == b"\n" or raw[:2] == b"\r\n":
        return b"", raw[raw.index(b"\n") + 1 :]
    end = _BLANK_LINE.search(raw)
    return (raw[: end.start()], raw[end.end() :]) if end else (raw, b"")
