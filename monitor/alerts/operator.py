"""Write what the operator of an installation is told: what is wrong, and what to do about it."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from monitor.alerts import words
from monitor.alerts.dressing import dressed
from monitor.core.ports import Message
from monitor.core.routes import Severity
from monitor.rendering import environment

MAX_SUBJECT = 180
LONGEST = 1000
_LEADS = {
    "opened": "Something is wrong with this installation of Seedwatch.",
    "closed": "This trouble of Seedwatch is over.",
}
_STILL = "This trouble of Seedwatch goes on."


def render(
    body: Mapping[str, object],
    *,
    topic: str,
    severity: Severity,
    recipient: str,
    page: str = "",
    templates_dir: Path | None = None,
) -> Message:
    """Return the message about one trouble.

    Args:
        body: as steps/tend writes it: sentence, remedy, opened_at, closed_at (ISO 8601 or "").
        topic: "opened", "closed", or another for a reminder.
        page: where the dashboard is; "" for no link.
        templates_dir: the operator's own templates, before ours.
    """
    view = {
        "topic": topic,
        "severity": str(severity),
        "lead": _LEADS.get(topic, _STILL),
        "sentence": words.plain(str(body.get("sentence", "")), LONGEST),
        "remedy": words.plain(str(body.get("remedy", "")), LONGEST),
        "span": _span(str(body.get("opened_at", "")), str(body.get("closed_at", ""))),
        "page": page,
        "recipient": words.plain(recipient),
    }
    templates = environment(templates_dir)
    subject, text, html = (
        templates.get_template(f"mail/operator/{name}").render(view)
        for name in ("subject.txt", "body.txt", "body.html")
    )
    return Message(
        subject=words.plain(subject, MAX_SUBJECT),
        text=text.strip() + "\n",
        html=dressed(html),
        short=f"{view['lead']} {view['sentence']}",
        payload={key: view[key] for key in ("topic", "severity", "sentence", "remedy")},
        event=f"operator.{topic.partition('/')[0]}",
        severity=severity,
    )


def _span(opened_at: str, closed_at: str) -> str:
    since = f"Since {words.moment(datetime.fromisoformat(opened_at))}" if opened_at else ""
    if not closed_at:
        return f"{since}." if since else ""
    return f"{since}, until {words.moment(datetime.fromisoformat(closed_at))}."
