"""Fill the three forms of a letter: subject, text and HTML."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from monitor.alerts import words
from monitor.alerts.dressing import dressed
from monitor.rendering import environment

MAX_SUBJECT = 180


@dataclass(frozen=True, slots=True)
class Filled:
    """A letter as it is sent: a subject on one line, tidy text, HTML with its style inlined."""

    subject: str
    text: str
    html: str


def filled(kind: str, values: Mapping[str, object], templates_dir: Path | None) -> Filled:
    """Fill `mail/KIND/subject.txt`, `body.txt` and `body.html` with *values*.

    Args:
        templates_dir: the operator's own templates, before ours.
    Raises:
        BadInputError: a template of the operator's own cannot be filled.
    """
    templates = environment(templates_dir)
    subject, text, html = (
        templates.get_template(f"mail/{kind}/{name}").render(values)
        for name in ("subject.txt", "body.txt", "body.html")
    )
    return Filled(words.plain(subject, MAX_SUBJECT), tidy(text), dressed(html))


def tidy(text: str) -> str:
    """End the text with one line end, and leave no more than one empty line anywhere."""
    lines: list[str] = []
    for line in text.strip().split("\n"):
        # "-- " begins a signature (RFC 3676 section 4.3); no other line ends with a blank.
        kept = line if line == "-- " else line.rstrip()
        if kept or (lines and lines[-1]):
            lines.append(kept)
    return "\n".join(lines) + "\n"
