"""Write the mail about one change of an incident: whose fault first, then what to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment

from monitor.alerts import table, words
from monitor.core.blamed import features_of
from monitor.core.incidents import Direction, IncidentEvent, State
from monitor.core.ports import Message
from monitor.rendering import environment

MAX_TESTS = 20
MAX_SUBJECT = 180

_OPEN = ("lead", "todo", "not_todo")  # parts of mail/words.txt
_OVER = ("over", "next_step")


@dataclass(frozen=True, slots=True)
class View:
    """What an alert can be told in: short texts on one line, with guarded domains."""

    cause: str
    state: str
    is_probable: bool
    is_better: bool  # a filter that lets through more than usual
    is_late: bool  # mail arrives, but late
    is_part: bool  # closed because another incident contains it: `page` is that one's
    is_pair: bool  # `what` names two features, and takes both
    has_spared: bool  # there are other senders, and their mail arrives
    provider: str
    sender: str
    esp: str
    what: str
    region: str  # of the provider, if the incident is about its mailboxes there
    fate: str
    is_about_links: bool
    since: str
    earliest: str
    until: str  # since when mail is as usual; "" if that is not known
    sentence: str
    reason: str  # for this event
    rows: Sequence[table.Row]
    tests: Sequence[tuple[str, str]]  # name, link or ""
    page: str  # of the incident, or ""
    recipient: str


def render(
    event: IncidentEvent,
    *,
    recipient: str,
    names: Mapping[str, str],
    base_url: str | None = None,
    tests: Sequence[tuple[str, str]] = (),
    templates_dir: Path | None = None,
) -> Message:
    """Return the alert about *event*.

    Recovery has templates of its own; which are used follows from the event's state.

    Args:
        recipient: who gets it; shown in the footer.
        names: provider ids to the names that people know.
        base_url: where the dashboard can be reached; without it there is no link.
        tests: name and link of each test that is affected; a link may be "".
        templates_dir: the operator's own templates, before ours.
    """
    view = _view(event, recipient=recipient, names=names, base_url=base_url or "", tests=tests)
    is_over = event.state in {State.RECOVERING, State.CLOSED}
    folder, parts = ("recovered", _OVER) if is_over else ("incident", _OPEN)
    templates = environment(templates_dir)
    say = {part: _said(templates, part, view) for part in parts}
    subject, text, html = (
        templates.get_template(f"mail/{folder}/{name}").render(view=view, say=say)
        for name in ("subject.txt", "body.txt", "body.html")
    )
    return Message(words.plain(subject, MAX_SUBJECT), text.strip() + "\n", html)


def _until(event: IncidentEvent) -> str:
    """Since when mail is as usual. What recovers is, whatever else is known of it."""
    at = event.at if event.state is State.RECOVERING else None
    known = event.until or at
    return words.moment(known) if known else ""


def _said(templates: Environment, part: str, view: View) -> list[str]:
    """Let mail/words.txt say one part, a sentence a line.

    Said once for text and HTML, as plain strings: what a macro returns counts as safe, so
    the HTML template would print it without escaping.
    """
    said = str(getattr(templates.get_template("mail/words.txt").module, part)(view))
    return [line.strip() for line in said.splitlines() if line.strip()]


def _view(
    event: IncidentEvent,
    *,
    recipient: str,
    names: Mapping[str, str],
    base_url: str,
    tests: Sequence[tuple[str, str]],
) -> View:
    def said(text: str | None, longest: int = words.LONGEST) -> str:
        return words.guard(words.plain(text or "", longest), event.feature)

    told = quote(event.part_of or event.incident, safe="")
    page = f"{base_url.rstrip('/')}/incidents/{told}" if base_url else ""
    return View(
        cause=str(event.cause),
        state=str(event.state),
        is_probable=event.state is State.SUSPECTED,
        is_better=event.direction is Direction.BETTER,
        is_late=event.is_late,
        is_part=event.part_of is not None,
        is_pair=len(features_of(event.feature)) > 1,
        has_spared=bool(event.evidence.spared),
        provider=said(names.get(event.provider or "", event.provider or "the provider")),
        sender=said(event.sender),
        esp=said(event.esp),
        what=words.what(event.feature),
        region=words.region(event.feature),
        fate=words.LATE if event.gauge else words.fate(event.evidence.placements),
        is_about_links=words.is_about_links(event.feature),
        since=words.moment(event.start),
        earliest=words.moment(event.start_low) if event.start_low < event.start else "",
        until=_until(event),
        sentence=said(event.sentence, 900),
        reason=said(event.reason),
        rows=table.rows(event, names),
        tests=[(said(name), link) for name, link in tests[:MAX_TESTS]],
        page=page,
        recipient=words.plain(recipient),
    )
