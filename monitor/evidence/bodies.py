"""Know a campaign again by its words, where a mail service has changed everything else.

Links are rewritten, greetings personal, and a footer added on the way, so a hash of the
whole would never be met again. What stays is most of the wording: each run of five words
is hashed, and the smallest hashes are the mark (bottom-k sketch: Broder, "On the
resemblance and containment of documents", 1997). Pure, bounded, and never raises.
"""

import hashlib
import heapq
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesParser
from email.policy import compat32
from html.parser import HTMLParser

MAX_RAW = 256 * 1024
MAX_PARTS = 30  # containers; the parser would crawl through more
MAX_WORDS = 1500
RUN = 5  # words
KEPT = 24  # hashes of a mark
MIN_RUNS = 12  # a text with fewer could be anybody's
ALIKE = 0.5  # share of the hashes from which on two texts are one campaign

_HASH_BYTES = 4
_WORD = re.compile(r"[^\W\d_]{2,40}")
_LINK = re.compile(r"https?://\S{1,2000}")
_TOKEN = re.compile(r"(?<![0-9a-z])[a-z2-7]{20}(?![0-9a-z])")
_UNSEEN = {"style", "script", "head", "title", "template"}


@dataclass(frozen=True, slots=True)
class BodyMarks:
    """What a message may be known by besides its header."""

    tokens: frozenset[str]  # words that look like a test's token
    mark: str  # of its wording; "" if there are too few words


NOTHING = BodyMarks(frozenset(), "")


def body_mark(text: str, html: str) -> str:
    """Return the mark of a message's wording, at most 192 characters; "" if it is too short.

    The HTML counts where there is some: that is what the reader of a campaign sees.
    """
    shown = _visible(html[:MAX_RAW]) if html else text[:MAX_RAW]
    return _mark(shown) or (_mark(text[:MAX_RAW]) if html else "")


def marks_of(raw: bytes) -> BodyMarks:
    """Return what the body of a whole message (or of its beginning) says of its campaign."""
    if raw[:MAX_RAW].lower().count(b"multipart/") > MAX_PARTS:
        return NOTHING
    parts = _read(raw[:MAX_RAW])
    text = next((words for kind, words in parts if kind == "text/plain"), "")
    html = next((words for kind, words in parts if kind == "text/html"), "")
    # Where a part does not say how it is encoded, its lines may still have been broken.
    plain = raw[:MAX_RAW].replace(b"=\r\n", b"").replace(b"=\n", b"").decode("latin-1")
    tokens = frozenset(_TOKEN.findall(" ".join([plain, *(words for _, words in parts)])))
    return BodyMarks(tokens, body_mark(text, html))


def alike(mark: str, other: str) -> bool:
    """Are these the marks of one campaign's wording?"""
    ours, theirs = _hashes(mark), _hashes(other)
    if not ours or not theirs:
        return False
    smallest = sorted(ours | theirs)[: min(KEPT, len(ours), len(theirs))]
    shared = ours & theirs
    return sum(one in shared for one in smallest) >= ALIKE * len(smallest)


def _mark(text: str) -> str:
    words = _WORD.findall(_LINK.sub(" ", text).lower())[:MAX_WORDS]
    runs = {" ".join(words[at : at + RUN]) for at in range(len(words) - RUN + 1)}
    if len(runs) < MIN_RUNS:
        return ""
    hashes = (hashlib.blake2b(run.encode(), digest_size=_HASH_BYTES).hexdigest() for run in runs)
    return "".join(heapq.nsmallest(KEPT, hashes))


def _hashes(mark: str) -> set[str]:
    width = 2 * _HASH_BYTES
    return {mark[at : at + width] for at in range(0, min(len(mark), KEPT * width), width)}


def _read(raw: bytes) -> list[tuple[str, str]]:
    try:
        return list(_parts(BytesParser(policy=compat32).parsebytes(raw)))
    except RecursionError:  # messages within messages, a thousand deep
        return []


def _parts(message: Message) -> Iterator[tuple[str, str]]:
    for part in message.walk():
        kind = part.get_content_type()
        if kind in {"text/plain", "text/html"} and not _has_file_name(part):
            payload = part.get_payload(decode=True)
            if isinstance(payload, bytes):
                yield kind, _decoded(payload, _charset(part))


def _has_file_name(part: Message) -> bool:
    try:
        return part.get_filename() is not None
    except ValueError:  # there is one, in a character set whose name holds a NUL
        return True


def _charset(part: Message) -> str:
    try:
        return part.get_content_charset("utf-8")
    except ValueError:  # its name holds a NUL
        return "utf-8"


def _decoded(payload: bytes, charset: str) -> str:
    try:
        return payload.decode(charset, "replace")
    except (LookupError, ValueError):  # a character set that nobody knows
        return payload.decode("utf-8", "replace")


def _visible(html: str) -> str:
    reader = _Words()
    reader.feed(html)
    return " ".join(reader.found)


class _Words(HTMLParser):
    """Collects the text that a reader sees."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self._hidden += tag in _UNSEEN

    def handle_endtag(self, tag: str) -> None:
        self._hidden = max(0, self._hidden - (tag in _UNSEEN))

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.found.append(data)

    def parse_marked_section(self, i: int, report: int = 1) -> int:
        """Skip `<![word ...]>`, whatever the word: the library raises on those that it lacks."""
        del report
        return self.parse_bogus_comment(i, report=False)
