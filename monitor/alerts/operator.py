"""Write what the operator of an installation is told: what is wrong, and what to do about it."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from monitor.alerts import words
from monitor.alerts.filled import filled
from monitor.core.ports import Message
from monitor.core.routes import Severity

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
    letter = filled("operator", view, templates_dir)
    return Message(
        subject=letter.subject,
        text=letter.text,
        html=letter.html,
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
