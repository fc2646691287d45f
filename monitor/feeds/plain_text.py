"""Makes plain text of a provider's HTML, to be shown and searched. Never raises.

The standard library's parser takes minutes for 50 kB of unclosed tags; all that is needed
here is to leave tags out.
"""

import html
import re

MAX_HTML = 100_000  # characters that are read

_TAG = re.compile(r"<(/?)([a-zA-Z!?][a-zA-Z0-9]{0,20})[^<>]{0,2000}+>")
# More digits than any character has; Python refuses to convert thousands of them.
_LONG_NUMBER = re.compile(r"&#[xX]?[0-9a-fA-F]{9,}+;?")
_BREAKS = {"br", "p", "div", "li", "tr", "table", "ul", "ol", "h1", "h2", "h3", "h4"}
_SILENT = {"script", "style", "head", "template"}


def plain_text(source: str, *, limit: int) -> str:
    """Return the text of HTML, at most *limit* characters, one line a paragraph."""
    text = html.unescape(_LONG_NUMBER.sub(" ", "".join(_pieces(source[:MAX_HTML]))))
    text = "".join(c if c.isprintable() or c == "\n" else " " for c in text)
    lines = (" ".join(line.split()) for line in text.split("\n"))
    whole = "\n".join(line for line in lines if line)
    return whole if len(whole) <= limit else whole[: limit - 1].rstrip() + "…"


def _pieces(source: str) -> list[str]:
    pieces: list[str] = []
    silent, at = "", 0
    for tag in _TAG.finditer(source):
        name = tag[2].lower()
        if not silent:
            pieces.append(source[at : tag.start()].replace("\n", " "))
            pieces.append("\n" if name in _BREAKS else "")
            silent = name if name in _SILENT and not tag[1] else ""
        elif tag[1] and name == silent:
            silent = ""
        at = tag.end()
    return pieces if silent else [*pieces, source[at:].replace("\n", " ")]
