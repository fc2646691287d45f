"""Write what one change of an incident is told in: whose fault first, then what to do."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jinja2 import Environment

from monitor.alerts import payload, words
from monitor.alerts.dressing import dressed
from monitor.alerts.filled import MAX_SUBJECT, tidy
from monitor.alerts.occasion import Occasion, Office
from monitor.alerts.view import View, view
from monitor.core.incidents import IncidentEvent, State
from monitor.core.ports import Message
from monitor.core.routes import Audience
from monitor.rendering import environment

MAX_SHORT = 900  # characters; the narrowest of the chats takes about a thousand
FILE = "hold-advice.json"

# Which sentences are said, and in which file of mail/ they stand.
_OPEN = {
    "news": "words.txt",
    "lead": "words.txt",
    "before": "words.txt",
    "certainty": "words.txt",
    "concerned": "words.txt",
    "since": "words.txt",
    "report": "words.txt",
    "todo": "todo.txt",
    "not_todo": "todo.txt",
}
_OVER = {"over": "words.txt", "next_step": "words.txt"}
SAID: Mapping[str, Mapping[str, str]] = {"incident": _OPEN, "recovered": _OVER}  # by folder


@dataclass(frozen=True, slots=True)
class _Form:
    """Which templates tell an event, and which sentences stand in for it in a chat."""

    folder: str
    parts: Mapping[str, str]
    first: str
    then: str


_BEGINNING = _Form("incident", _OPEN, "lead", "todo")
_END = _Form("recovered", _OVER, "over", "next_step")


def render(event: IncidentEvent, occasion: Occasion, office: Office) -> Message:
    """Return the alert about *event*.

    Recovery has templates of its own; which are used follows from the event's state. Mail
    for machines (audience ESP) has no HTML, and its advice is attached. In mail, the domain
    that a filter blames stands with brackets everywhere; the payload for machines names the
    feature as it is.

    Raises:
        BadInputError: a template of the operator's own cannot be filled.
    """
    form = _END if event.state in {State.RECOVERING, State.CLOSED} else _BEGINNING
    templates = environment(office.templates_dir)
    seen = view(event, occasion, office)
    say = {part: _said(templates, f"mail/{file}", part, seen) for part, file in form.parts.items()}
    told = _Told(templates, form, seen, say, payload.advice_lines(occasion.advice, event))
    document = payload.payload(event, occasion, office, seen, say)
    is_for_machines = occasion.audience is Audience.ESP
    return Message(
        subject=words.plain(told.filled("subject.txt"), MAX_SUBJECT),
        text=tidy(told.filled("esp.txt" if is_for_machines else "body.txt")),
        html="" if is_for_machines else dressed(told.filled("body.html", str(occasion.severity))),
        short=_short(say, form, seen.page),
        payload=document,
        event=f"incident.{payload.news(event, occasion)}",
        severity=occasion.severity,
        files={FILE: _guarded(document, event)} if is_for_machines else {},
    )


@dataclass(frozen=True, slots=True)
class _Told:
    """Everything that a template of an incident's mail is given."""

    templates: Environment
    form: _Form
    view: View
    say: Mapping[str, Sequence[str]]
    advice: Sequence[str]

    def filled(self, name: str, severity: str = "") -> str:
        template = self.templates.get_template(f"mail/{self.form.folder}/{name}")
        return template.render(
            view=self.view, say=self.say, advice=self.advice, severity=severity
        ).strip()


def _said(templates: Environment, file: str, part: str, seen: View) -> list[str]:
    """Let a file of words say one part, a sentence a line.

    Said once for text and HTML, as plain strings: what a macro returns counts as safe, so
    the HTML template would print it without escaping.
    """
    said = str(getattr(templates.get_template(file).module, part)(seen))
    return [line.strip() for line in said.splitlines() if line.strip()]


def _short(say: Mapping[str, Sequence[str]], form: _Form, page: str) -> str:
    """Three lines for a chat: what is new and the verdict, the first thing to do, where to look."""
    verdict = " ".join([*say.get("news", ()), *say[form.first], *say.get("before", ())])
    lines = [words.plain(verdict, MAX_SHORT - 300), *say[form.then][:1], page]
    return "\n".join(line for line in lines if line)[:MAX_SHORT]


def _guarded(document: Mapping[str, object], event: IncidentEvent) -> str:
    return words.guard(json.dumps(document, indent=2, ensure_ascii=False), event.feature) + "\n"
