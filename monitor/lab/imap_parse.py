"""IMAP command syntax (RFC 3501 section 9): bytes to commands, tokens and number sets.

Everything raises `BadCommandError` and nothing else on what a client should not have sent.
"""

import base64
import binascii
import re
import sys
from bisect import bisect_right
from dataclasses import dataclass
from typing import TypeAlias

MAX_DEPTH = 20
MAX_RANGES = 5000
Argument: TypeAlias = "bytes | list[Argument]"

TAG = re.compile(rb"[!#-$&-'*-\[\]-z|}~,./:;<=>?@-]{1,100}")
LITERAL = re.compile(rb"\{(\d{1,10})(\+?)\}\r?\n")
ARGUMENT = re.compile(
    rb'"(?P<quoted>(?:[^"\\\r\n]|\\["\\])*)"'
    rb"|(?P<atom>[^\s()\"\[\]{]+(?:\[[^\]]*\](?:<[\d.]*>)?)?|\[[^\]]*\])"
)
NUMBER_SET = re.compile(
    rb"(?:{n})(?::(?:{n}))?(?:,(?:{n})(?::(?:{n}))?)*".replace(b"{n}", rb"[1-9]\d{0,9}|\*")
)


class BadCommandError(Exception):
    """The client's command is not IMAP: answered BAD."""


class RefusedError(Exception):
    """The command is understood and refused: answered NO."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a client; `rest` is what follows the name, literals in place."""

    tag: bytes
    name: str  # upper case
    by_uid: bool
    rest: bytes

    def arguments(self) -> list[Argument]:
        return parse_arguments(self.rest)


def parse_command(raw: bytes) -> Command:
    """Split a command line (with its literals) into tag, name and the rest."""
    line = raw.removesuffix(b"\n").removesuffix(b"\r")
    tag, _, rest = line.partition(b" ")
    if not TAG.fullmatch(tag):
        raise BadCommandError("no tag")
    name, _, rest = rest.partition(b" ")
    by_uid = name.upper() == b"UID"
    if by_uid:
        name, _, rest = rest.partition(b" ")
    if not name.isalnum() or len(name) > 32:
        raise BadCommandError("no command")
    return Command(tag, name.upper().decode("ascii", "replace"), by_uid, rest)


def tag_of(raw: bytes) -> bytes:
    """The tag to answer to, "*" if there is none to be had."""
    tag = raw.split(None, 1)[0] if raw.strip() else b""
    return tag if TAG.fullmatch(tag) else b"*"


def parse_arguments(text: bytes) -> list[Argument]:
    """Read atoms, strings, literals and parenthesised lists."""
    stack: list[list[Argument]] = [[]]
    at = 0
    while at < len(text):
        char = text[at : at + 1]
        if char in b" \t\r\n":
            at += 1
        elif char == b"(":
            if len(stack) > MAX_DEPTH:
                raise BadCommandError("too many parentheses")
            stack.append([])
            at += 1
        elif char == b")":
            if len(stack) == 1:
                raise BadCommandError("unbalanced parentheses")
            inner = stack.pop()
            stack[-1].append(inner)
            at += 1
        else:
            token, at = _scalar(text, at)
            stack[-1].append(token)
    if len(stack) > 1:
        raise BadCommandError("unbalanced parentheses")
    return stack[0]


def _scalar(text: bytes, at: int) -> tuple[bytes, int]:
    if literal := LITERAL.match(text, at):
        end = literal.end() + int(literal[1])
        if end > len(text):
            raise BadCommandError("short literal")
        return text[literal.end() : end], end
    found = ARGUMENT.match(text, at)
    if found is None:
        raise BadCommandError("unexpected character")
    if found["quoted"] is not None:
        return re.sub(rb"\\(.)", rb"\1", found["quoted"]), found.end()
    return found["atom"], found.end()


def text_at(tokens: list[Argument], index: int) -> bytes:
    """Return the string at *index*; BAD if there is none."""
    if index >= len(tokens):
        raise BadCommandError("missing argument")
    token = tokens[index]
    if isinstance(token, list):
        raise BadCommandError("unexpected list")
    return token


def list_at(tokens: list[Argument], index: int) -> list[bytes]:
    """Return the flat list at *index*; BAD if there is none."""
    token = tokens[index] if index < len(tokens) else b""
    if not isinstance(token, list):
        raise BadCommandError("missing list")
    return [text_at(token, i) for i in range(len(token))]


class NumberSet:
    """A set such as 1:3,7,9:*; membership costs a binary search however long the set is."""

    def __init__(self, text: bytes, top: int) -> None:
        """Read *text*; `*` is *top*. Raises BadCommandError."""
        if not NUMBER_SET.fullmatch(text) or text.count(b",") >= MAX_RANGES:
            raise BadCommandError("invalid message set")
        self.ranges: list[tuple[int, int]] = []  # ascending, apart
        for low, high in sorted(_range(part, top) for part in text.split(b",")):
            if self.ranges and low <= self.ranges[-1][1] + 1:
                before, reach = self.ranges[-1]
                self.ranges[-1] = (before, max(reach, high))
            else:
                self.ranges.append((low, high))

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self.ranges, (number, sys.maxsize)) - 1
        return at >= 0 and self.ranges[at][0] <= number <= self.ranges[at][1]


def _range(part: bytes, top: int) -> tuple[int, int]:
    first, colon, last = part.partition(b":")
    low = top if first == b"*" else int(first)
    high = (top if last == b"*" else int(last)) if colon else low
    return min(low, high), max(low, high)


def decode_folder(name: bytes) -> str:
    """Read a mailbox name in modified UTF-7 (RFC 3501 section 5.1.3); kept as it is if broken."""

    def decoded(found: re.Match[bytes]) -> bytes:
        packed = found[1].replace(b",", b"/")
        if not packed:
            return b"&"
        try:
            wide = base64.b64decode(packed + b"=" * (-len(packed) % 4))
            return wide.decode("utf-16be").encode()
        except (binascii.Error, UnicodeDecodeError):
            return found[0]

    return re.sub(rb"&([^-&]{0,1000})-", decoded, name).decode("utf-8", "replace")


def encode_folder(name: str) -> bytes:
    """Write a mailbox name in modified UTF-7."""

    def encoded(found: re.Match[str]) -> str:
        if found[0] == "&":
            return "&-"
        packed = base64.b64encode(found[0].encode("utf-16be", "surrogatepass")).decode("ascii")
        return "&" + packed.rstrip("=").replace("/", ",") + "-"

    return re.sub(r"[^\x20-\x7e]+|&", encoded, name).encode("ascii")


def quoted(text: bytes) -> bytes:
    """Write a string as IMAP wants it back: quoted, or as a literal where it must be."""
    if re.search(rb"[\r\n\x00\x80-\xff]", text):
        return b"{%d}\r\n%s" % (len(text), text)
    return b'"' + text.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def compact(numbers: list[int]) -> bytes:
    """Write ascending numbers as a set: 1:3,7."""
    parts: list[str] = []
    start = last = -1
    for number in [*numbers, -1]:
        if start >= 0 and number != last + 1:
            parts.append(str(start) if start == last else f"{start}:{last}")
            start = -1
        if start < 0:
            start = number
        last = number
    return ",".join(parts).encode("ascii")
