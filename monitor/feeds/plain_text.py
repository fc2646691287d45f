"""Makes plain text of a provider's HTML, to be shown and searched. Never raises."""

import re
from html.parser import HTMLParser

MAX_HTML = 50_000  # characters that are read; the parser's worst case is quadratic

_BREAKS = {"br", "p", "div", "li", "tr", "table", "ul", "ol", "h1", "h2", "h3", "h4"}
_SILENT = {"script", "style", "head", "template"}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self._silent += tag in _SILENT
        if tag in _BREAKS:
            self.pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._silent = max(0, self._silent - (tag in _SILENT))
        if tag in _BREAKS:
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.pieces.append(data)


def plain_text(html: str, *, limit: int) -> str:
    """Return the text of *html*, at most *limit* characters, one line a paragraph."""
    reader = _Reader()
    reader.feed(html[:MAX_HTML])
    reader.close()
    text = "".join(c if c.isprintable() or c == "\n" else " " for c in "".join(reader.pieces))
    lines = (re.sub(r"\s+", " ", line).strip() for line in text.split("\n"))
    whole = "\n".join(line for line in lines if line)
    return whole if len(whole) <= limit else whole[: limit - 1].rstrip() + "…"
