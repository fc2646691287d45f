"""Read a page as its reader does: words and links, not markup."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"meta", "link", "br", "img", "use", "rect", "path", "circle", "polyline", "input"}
_BLOCK = {"p", "li", "tr", "td", "th", "div", "dt", "dd", "h1", "h2", "h3", "br"}
_SILENT = {"script", "style", "head"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str]
    children: list["Element | str"] = field(default_factory=list)

    @property
    def text(self) -> str:
        """What is written here, with white space as a reader sees it."""
        return " ".join("".join(self._words()).split())

    def _words(self) -> list[str]:
        words: list[str] = []
        for child in self.children:
            if isinstance(child, str):
                words.append(child)
            elif child.tag not in _SILENT:
                words += [*child._words(), " " if child.tag in _BLOCK else ""]
        return words

    def all(self, tag: str, **attributes: str) -> list["Element"]:
        """Every element below with this tag and these attributes, in order."""
        found: list[Element] = []
        for child in self.children:
            if isinstance(child, Element):
                matches = all(
                    child.attributes.get(name.rstrip("_").replace("_", "-")) == value
                    for name, value in attributes.items()
                )
                if matches and tag in {child.tag, "*"}:
                    found.append(child)
                found += child.all(tag, **attributes)
        return found

    def one(self, tag: str, **attributes: str) -> "Element":
        found = self.all(tag, **attributes)
        assert len(found) == 1, f"{len(found)} of {tag} {attributes}"
        return found[0]

    def section(self, title: str) -> "Element":
        """The section that is headed *title*."""
        for section in self.all("section"):
            if any(h.text.startswith(title) for level in "123" for h in section.all(f"h{level}")):
                return section
        raise AssertionError(f"no section {title!r} among {[h.text for h in self.all('h2')]}")

    def row(self, name: str) -> list[str]:
        """The cells of the first table row whose heading begins with *name*."""
        for row in self.all("tr"):
            cells = [c for c in row.children if isinstance(c, Element)]
            if cells and cells[0].text.startswith(name):
                return [c.text for c in cells]
        raise AssertionError(f"no row {name!r}")


class Page(Element):
    """A whole page."""


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page("page", {})
        self.open: list[Element] = [self.page]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {k: v or "" for k, v in attrs})
        self.open[-1].children.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open[-1].children.append(Element(tag, {k: v or "" for k, v in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        assert self.open[-1].tag == tag, f"</{tag}> closes <{self.open[-1].tag}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.open[-1].children.append(data)


def read(html: str) -> Page:
    """Parse a page; one that is not well nested is an error."""
    parser = _Parser()
    parser.feed(html)
    parser.close()
    assert [e.tag for e in parser.open] == ["page"], "elements were left open"
    return parser.page
