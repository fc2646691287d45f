"""Header fields from foreign bytes: bounded, unfolded, free of control characters."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.header import decode_header

MAX_BYTES = 256 * 1024
MAX_FIELDS = 1000
MAX_VALUE = 16 * 1024
MAX_WORDS = 2000  # characters of encoded words

_LINE = re.compile(rb"\r\n|\r|\n")
_FIELD = re.compile(r"([!-9;-~]{1,200})[ \t]{0,20}:(.*)", re.DOTALL)
# NUL breaks PostgreSQL, escape sequences break terminals; neither means anything here.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")
_COMMENT = re.compile(r"\([^()]*\)")
# Text without a sign of structure, a whole simple comment and a row of brackets are taken in
# one step each, which makes long values cheap.
_PIECE = re.compile(r'[^\\"();]+|\\.|\([^()\\"]*\)|\(+|\)|["();\\]', re.DOTALL)
# Some charsets (utf-7, unicode_escape) make halves of characters, which cannot be written.
_HALF = re.compile(r"[\ud800-\udfff]")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class HeaderField:
    """One field; `name` as it was written, `key` in lower case, `value` unfolded, stripped."""

    name: str
    value: str
    key: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", self.name.lower())


def parse(headers: bytes) -> list[HeaderField]:
    """Read a header block, top first; what follows the first empty line is not looked at.

    Lines that are no field are left out, as is the "From " line of a mailbox file, and the
    mark that an editor puts before UTF-8; never raises. At most MAX_BYTES bytes and
    MAX_FIELDS fields are read, and a value is cut at MAX_VALUE characters.
    """
    fields: list[HeaderField] = []
    for lines in _unfolded(headers[:MAX_BYTES].removeprefix(_BOM)):
        match = _FIELD.fullmatch(clean(b" ".join(lines)))
        if match is not None:
            fields.append(HeaderField(match[1], match[2].strip()[:MAX_VALUE]))
        if len(fields) == MAX_FIELDS:
            break
    return fields


def clean(raw: bytes) -> str:
    """Decode as UTF-8 and put U+FFFD for what is not text."""
    return _CONTROL.sub("\ufffd", raw.decode("utf-8", "replace"))


def decoded_words(value: str) -> str:
    """Decode RFC 2047 encoded words; what cannot be decoded stays as it is. Never raises."""
    if "=?" not in value:
        return value
    try:
        pieces = decode_header(value[:MAX_WORDS])
        texts = [
            piece if isinstance(piece, str) else piece.decode(charset or "utf-8", "replace")
            for piece, charset in pieces
        ]
    except (HeaderParseError, LookupError, ValueError):
        return value
    return printable("".join(texts)).replace("\n", "\ufffd")


def printable(text: str) -> str:
    """Put U+FFFD for what cannot be shown, line by line; the lines end with a line feed."""
    whole = _HALF.sub("\ufffd", text)
    return "\n".join(_CONTROL.sub("\ufffd", line) for line in whole.splitlines())


def values(fields: Iterable[HeaderField], name: str) -> list[str]:
    """Return the values of all fields called *name*, topmost first."""
    wanted = name.lower()
    return [field.value for field in fields if field.key == wanted]


def first(fields: Iterable[HeaderField], name: str) -> str | None:
    """Return the topmost value of *name*: the one that was written last."""
    found = values(fields, name)
    return found[0] if found else None


def _unfolded(block: bytes) -> Iterator[list[bytes]]:
    """Yield the physical lines of each field; a line that begins with a blank continues it."""
    lines: list[bytes] = []
    for line in _LINE.split(block):
        if not line:
            break
        if line[:1] in b" \t" and lines:
            lines.append(line.strip())
            continue
        if lines:
            yield lines
        lines = [line]
    if lines:
        yield lines


def without_comments(value: str) -> str:
    """Return *value* without its (comments), which nest; quoted strings stay as they are."""
    return ";".join(segments(value))


def segments(value: str) -> list[str]:
    """Split *value* at its semicolons, without its (comments).

    A semicolon or bracket in a quoted string, or after a backslash, is text: otherwise an
    address like `"x; dmarc=pass"@example.org` would add a result of its own (RFC 8601,
    RFC 5322 section 3.2).
    """
    if '"' not in value and "\\" not in value:
        # Only comments: those without comments in them go at once, for two levels.
        value = _COMMENT.sub("", _COMMENT.sub("", value))
        if "(" not in value:
            return value.split(";")
    return _by_piece(value)


def _by_piece(value: str) -> list[str]:
    found: list[list[str]] = [[]]
    depth = 0
    is_quoted = False
    for match in _PIECE.finditer(value):
        piece = match[0]
        if piece == '"' and depth == 0:
            is_quoted = not is_quoted
        elif not is_quoted and piece[0] in "()":
            before, depth = depth, max(0, depth + piece.count("(") - piece.count(")"))
            if before or depth or len(piece) > 1:  # else a lone ")", which is text
                continue
        if depth == 0 and piece == ";" and not is_quoted:
            found.append([])
        elif depth == 0:
            found[-1].append(piece)
    return ["".join(pieces) for pieces in found]
