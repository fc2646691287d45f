"""Header fields from foreign bytes: bounded, unfolded, free of control characters."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MAX_BYTES = 256 * 1024
MAX_FIELDS = 1000
MAX_VALUE = 16 * 1024

_LINE = re.compile(rb"\r\n|\r|\n")
_FIELD = re.compile(r"([!-9;-~]{1,200})[ \t]{0,20}:(.*)", re.DOTALL)
# NUL breaks PostgreSQL, escape sequences break terminals; neither means anything here.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True, slots=True)
class HeaderField:
    """One field; `name` as it was written, `value` unfolded and stripped."""

    name: str
    value: str

    @property
    def key(self) -> str:
        return self.name.lower()


def parse(headers: bytes) -> list[HeaderField]:
    """Read a header block, top first; what follows the first empty line is not looked at.

    Lines that are no field are left out; never raises. At most MAX_BYTES bytes and
    MAX_FIELDS fields are read, and a value is cut at MAX_VALUE characters.
    """
    fields: list[HeaderField] = []
    for lines in _unfolded(headers[:MAX_BYTES]):
        match = _FIELD.fullmatch(clean(b" ".join(lines)))
        if match is not None:
            fields.append(HeaderField(match[1], match[2].strip()[:MAX_VALUE]))
        if len(fields) == MAX_FIELDS:
            break
    return fields


def clean(raw: bytes) -> str:
    """Decode as UTF-8 and put U+FFFD for what is not text."""
    return _CONTROL.sub("\ufffd", raw.decode("utf-8", "replace"))


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
    kept: list[str] = []
    depth = 0
    is_quoted = False
    skip = False
    for character in value:
        if skip:
            skip = False
        elif character == "\\":
            skip = True
        elif character == '"' and depth == 0:
            is_quoted = not is_quoted
        elif not is_quoted and character == "(":
            depth += 1
        elif not is_quoted and character == ")" and depth:
            depth -= 1
            continue
        if depth == 0:
            kept.append(character)
    return "".join(kept)
