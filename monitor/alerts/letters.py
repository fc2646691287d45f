"""Letters about a route itself: the question whether it is wanted, and a trial."""

from collections.abc import Mapping
from dataclasses import dataclass

from monitor.alerts import words
from monitor.alerts.filled import filled
from monitor.alerts.occasion import Office
from monitor.core.ports import Message
from monitor.core.routes import Severity


@dataclass(frozen=True, slots=True)
class LetterView:
    """All that the templates of these letters may name."""

    lines: tuple[str, ...]  # sentences; the first says what it is about
    link: str  # what to open; "" for nothing
    recipient: str


def confirm(body: Mapping[str, object], *, link: str, recipient: str, office: Office) -> Message:
    """Ask whether *recipient* wants to be told at all: who asks, what would come, no more.

    Args:
        body: "asked_by", in words.
        link: a page that confirms; opening it changes nothing yet.
    """
    asked_by = words.plain(str(body.get("asked_by") or "Somebody"))
    lines = (
        f"{asked_by} would like Seedwatch to write to this address.",
        "It would be told when mail stops arriving: what is hit, whose fault it is, what to do.",
        "Nothing else is sent to it.",
    )
    return _letter("confirm", LetterView(lines, link, words.plain(recipient)), office)


def trial(*, recipient: str, route_id: int, office: Office) -> Message:
    """Show that a route works."""
    lines = (
        "This is a trial. It shows that warnings from Seedwatch reach you; nothing is wrong.",
        "A real one says in its first sentence whose fault it is.",
    )
    view = LetterView(lines, office.page(""), words.plain(recipient))
    return _letter("trial", view, office, {"route": route_id, "sentence": lines[0]})


def _letter(
    kind: str, view: LetterView, office: Office, payload: Mapping[str, object] | None = None
) -> Message:
    letter = filled(kind, {"view": view, "severity": "info"}, office.templates_dir)
    return Message(
        subject=letter.subject,
        text=letter.text,
        html=letter.html,
        short="\n".join(filter(None, (view.lines[0], view.link))),
        payload=payload or {},
        event=kind,
        severity=Severity.INFO,
    )
