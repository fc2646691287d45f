"""Write RFC 5322 messages: fields that cannot be broken out of, bodies with safe lines.

The standard library's EmailMessage folds long Message-IDs into encoded words and picks
its boundaries at random; a copy must be the same bytes for the same test, so the few
lines that matter are written here, with the library's codecs.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Mapping
from email.header import Header
from types import MappingProxyType

from monitor.core.errors import BadInputError

CRLF = b"\r\n"
LINE = 76  # characters; RFC 5322 section 2.1.1 asks for at most 78, and demands 998
LONGEST_WORD = 900

_FORBIDDEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NAME = re.compile(r"[!-9;-~]{1,76}")
_ADDRESS = re.compile(r"[!#$%&'*+/=?^_`{|}~0-9A-Za-z.-]{1,64}@([0-9A-Za-z-]{1,63}\.?){1,40}")
_PLAIN_PHRASE = re.compile(r"[A-Za-z0-9 !#$%&'*+/=?^_`{|}~-]*")
_EOL = re.compile(r"\r\n|\r|\n")
_FILE_NAME = re.compile(r"[0-9A-Za-z_-][0-9A-Za-z._-]{0,59}")
_LINK = re.compile(r"https?://[!#$%&'()*+,./0-9:;=?@A-Z\[\]_a-z~-]{1,900}")
NOTHING: Mapping[str, bytes] = MappingProxyType({})
NO_FILES: Mapping[str, str] = MappingProxyType({})


def text_field(name: str, value: str, *, called: str = "") -> bytes:
    """Write one unstructured field, folded; other than ASCII as RFC 2047 encoded words.

    Raises:
        BadInputError: *value* holds line breaks or other control characters; `called` is
            what the person knows it as.
    """
    check_line(called or name, value)
    if not value.isascii() or "=?" in value or _longest_word(value) > LONGEST_WORD:
        encoded = Header(value, "utf-8", maxlinelen=LINE, header_name=name).encode(linesep="\r\n")
        return raw_field(name, encoded)
    return _folded(name, value)


def foreign_field(name: str, value: str, *, called: str) -> bytes:
    """Write a field of which we do not know the structure: ASCII is left as it is.

    Encoding a word of a List-Unsubscribe, say, would make its address unreadable.

    Raises:
        BadInputError: *name* cannot name a field, *value* holds control characters, or a
            word of it fits no line.
    """
    if _NAME.fullmatch(name) is None:
        raise BadInputError(
            called, name, "cannot name a header", remedy="Use letters, digits and hyphens."
        )
    if not value.isascii():
        return text_field(name, value, called=called)
    check_line(called, value)
    if _longest_word(value) > LONGEST_WORD:
        raise BadInputError(
            called, value, "has a word that fits no line", remedy="Put blanks into it."
        )
    return _folded(name, value)


def raw_field(name: str, value: str) -> bytes:
    """Write a structured field whose *value* we made ourselves: ASCII, never refolded."""
    return f"{name}: {value}".encode("ascii") + CRLF


def mailbox_field(name: str, display: str, address: str, *, called: str) -> bytes:
    """Write From or To. *address* must have passed `check_address`.

    Raises:
        BadInputError: *display* holds line breaks or other control characters.
    """
    check_line(called, display)
    if not display:
        return raw_field(name, address)
    phrase = _phrase(name, display)
    last_line = len(phrase.rpartition("\n")[2]) + len(name) + 2
    gap = " " if last_line + len(address) + 3 <= LINE else "\r\n "
    return raw_field(name, f"{phrase}{gap}<{address}>")


def check_line(called: str, value: str) -> None:
    """Refuse text that would break out of its header line.

    Raises:
        BadInputError: always names the field.
    """
    problem = "holds a line break or another control character"
    if _FORBIDDEN.search(value) is None:
        if value.isascii() or _is_unicode(value):
            return
        problem = "holds half a character (a lone surrogate)"
    raise BadInputError(called, value, problem, remedy="Write it on one line of plain text.")


def check_address(called: str, address: str) -> str:
    """Return *address* as it may stand in an envelope: ASCII, the domain in IDNA form.

    Raises:
        BadInputError: no mail address, or one that would need SMTPUTF8 (RFC 6531).
    """
    local, at, domain = address.rpartition("@")
    if not domain.isascii():
        try:
            domain = domain.encode("idna").decode("ascii")
        except UnicodeError:
            domain = ""
    ascii_form = f"{local}{at}{domain}"
    if len(ascii_form) > 254 or _ADDRESS.fullmatch(ascii_form) is None:
        raise BadInputError(
            called, address, "is not a mail address", remedy="Write it as name@example.com."
        )
    return ascii_form


def link_field(name: str, url: str) -> bytes:
    """Write a field that holds one address in angle brackets, as List-Unsubscribe does.

    Raises:
        BadInputError: no address of the web, or one that could break out of its brackets.
    """
    if _LINK.fullmatch(url) is None:
        remedy = "Write one that begins with https://"
        raise BadInputError(name, url, "is not an address of the web", remedy=remedy)
    return raw_field(name, f"<{url}>")


def body(
    text: str,
    html: str,
    *,
    seed: str,
    pictures: Mapping[str, bytes] = NOTHING,
    files: Mapping[str, str] = NO_FILES,
) -> bytes:
    """Write the MIME fields, the empty line and the body, with CRLF.

    Plain text, HTML, or both as multipart/alternative; *seed* decides the boundaries, so
    that the same seed always gives the same bytes.

    Args:
        pictures: PNGs that the HTML shows as `cid:NAME`, by name (RFC 2392).
        files: JSON documents to attach, by file name.

    Raises:
        BadInputError: a name of a picture or file that cannot stand in a header.
    """
    parts = [_part("plain", text)] if text or not html else []
    if html:
        parts.append(_with_pictures(_part("html", html), pictures, seed))
    whole = parts[0] if len(parts) == 1 else _multipart("alternative", parts, seed)
    if files:
        attached = [_attached(name, said) for name, said in files.items()]
        whole = _multipart("mixed", [whole, *attached], f"mixed {seed}")
    return raw_field("MIME-Version", "1.0") + whole


def _multipart(kind: str, parts: Iterable[bytes], seed: str) -> bytes:
    boundary = "=_" + hashlib.sha256(seed.encode("utf-8", "replace")).hexdigest()[:32]
    head = raw_field("Content-Type", f'multipart/{kind}; boundary="{boundary}"')
    mark = b"--" + boundary.encode("ascii")
    # The line end before a boundary belongs to the boundary (RFC 2046 section 5.1.1).
    inner = b"".join(mark + CRLF + part + CRLF for part in parts)
    return head + CRLF + inner + mark + b"--" + CRLF


def _with_pictures(html: bytes, pictures: Mapping[str, bytes], seed: str) -> bytes:
    """The HTML, and beside it what it shows (RFC 2387)."""
    if not pictures:
        return html
    shown = [_picture(name, png) for name, png in pictures.items()]
    return _multipart("related", [html, *shown], f"related {seed}")


def _picture(name: str, png: bytes) -> bytes:
    fields = {
        "Content-Type": "image/png",
        "Content-ID": f"<{check_file_name('picture', name)}>",
        "Content-Disposition": f'inline; filename="{name}.png"',
    }
    return _encoded(fields, png)


def _attached(name: str, said: str) -> bytes:
    check_file_name("file", name)
    fields = {
        "Content-Type": f'application/json; name="{name}"',
        "Content-Disposition": f'attachment; filename="{name}"',
    }
    return _encoded(fields, said.encode("utf-8", "replace"))


def _encoded(fields: Mapping[str, str], data: bytes) -> bytes:
    written = b"".join(raw_field(name, value) for name, value in fields.items())
    written += raw_field("Content-Transfer-Encoding", "base64")
    return written + CRLF + base64.encodebytes(data).replace(b"\n", CRLF)


def check_file_name(called: str, name: str) -> str:
    """Return *name* if it may stand in a header as it is.

    Raises:
        BadInputError: it holds more than letters, digits, dots, hyphens and underscores.
    """
    if _FILE_NAME.fullmatch(name) is None:
        remedy = "Use letters, digits, dots, hyphens and underscores."
        raise BadInputError(called, name, "cannot name a part of a mail", remedy=remedy)
    return name


def _part(subtype: str, text: str) -> bytes:
    """One body part with its own fields. Quoted-printable keeps every line below 77."""
    data = _EOL.sub("\r\n", text.rstrip() + "\n").encode("utf-8", "replace")
    return b"".join(
        (
            raw_field("Content-Type", f"text/{subtype}; charset=utf-8"),
            raw_field("Content-Transfer-Encoding", "quoted-printable"),
            CRLF,
            binascii.b2a_qp(data, istext=True),
        )
    )


def _folded(name: str, value: str) -> bytes:
    """Break lines at blanks only; the first word always stays beside the name."""
    line, *words = value.strip().split(" ")
    lines = [f"{name}: {line}"]
    for word in words:
        if word and len(lines[-1]) + 1 + len(word) > LINE:
            lines.append(f" {word}")
        else:
            lines[-1] += f" {word}"
    return "\r\n".join(lines).encode("ascii") + CRLF


def _longest_word(value: str) -> int:
    return max(map(len, value.split(" ")))


def _phrase(name: str, display: str) -> str:
    """A display name: bare, quoted, or encoded."""
    if not display.isascii() or "=?" in display or len(display) > LINE - 20:
        header = Header(display, "utf-8", maxlinelen=LINE, header_name=name)
        return header.encode(linesep="\r\n")
    if _PLAIN_PHRASE.fullmatch(display):
        return display
    return '"' + display.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _is_unicode(value: str) -> bool:
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
