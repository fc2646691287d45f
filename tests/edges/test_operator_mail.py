"""What an operator reads of trouble of the installation."""

from monitor.alerts.operator import render
from monitor.core.ports import Message
from monitor.core.routes import Severity
from tests.edges.test_mail_form import parsed

BODY = {
    "sentence": "Work is late: 3 jobs wait.",
    "remedy": "Start a worker.",
    "opened_at": "2026-03-02T06:00:00+00:00",
    "closed_at": "",
}
OVER = {**BODY, "closed_at": "2026-03-02T07:30:00+00:00"}


def told(body: dict[str, str], topic: str) -> Message:
    return render(body, topic=topic, severity=Severity.CRITICAL, recipient="ops@a.example")


def test_it_says_what_is_wrong_since_when_and_what_to_do() -> None:
    mail = told(BODY, "opened")
    assert mail.subject == "Seedwatch needs you: Work is late: 3 jobs wait."
    assert "Start a worker." in mail.text
    assert "Since 2 March 2026, 06:00 UTC." in mail.text
    assert mail.event == "operator.opened"


def test_the_end_asks_for_nothing() -> None:
    mail = told(OVER, "closed")
    assert mail.subject == "Over: Work is late: 3 jobs wait."
    assert "Start a worker." not in mail.text + mail.html
    assert "until 2 March 2026, 07:30 UTC" in mail.text


def test_a_reminder_says_that_it_goes_on() -> None:
    assert told(BODY, "reminder/2").subject.startswith("Still so: ")
    assert told(BODY, "reminder/2").event == "operator.reminder"


def test_what_a_server_said_is_escaped_and_ends_no_header() -> None:
    mail = told({**BODY, "sentence": "it said: <b>no</b>\r\nBcc: x@b.example"}, "opened")
    assert "<b>no</b>" not in mail.html
    assert "&lt;b&gt;no" in mail.html
    made = parsed(mail)
    assert made["Bcc"] is None
    assert "Bcc: x@b.example" in str(made["Subject"])
