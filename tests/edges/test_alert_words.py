"""What each reader of an alert is told: whose news it is, how much concerns them, what to do."""

import json
from dataclasses import replace

import pytest

from monitor.alerts.message import FILE, render
from monitor.alerts.occasion import Links, Occasion
from monitor.core.incidents import Cause, IncidentEvent, State
from monitor.core.ports import Message
from monitor.core.routes import Audience
from tests.edges.test_email_alert import FEATURE, PROVIDER, SENDER, START, UNTIL, WATCHED

LINKS = Links("https://watch.example/l/ack/abc", "https://watch.example/l/snooze/abc")
BODY = {
    "exposure": {"provider": "microsoft365", "recipients": 310, "total": 1000, "share": 0.31},
    "tests": [{"uid": "t1", "name": "March news"}],
    "lead": "We saw it 3 h 40 min before EX1227432 was published.",
}
ADVICE = [
    {
        "provider": "microsoft365",
        "mx_patterns": ["mail.protection.outlook.com"],
        "feature": FEATURE,
        "action": "hold",
        "until": UNTIL,
        "reason": "It is quarantined.",
    }
]


def told(
    event: IncidentEvent = PROVIDER, audience: Audience = Audience.SENDER, **body: object
) -> Message:
    kept = BODY | body
    occasion = Occasion("ops@a.example", audience, body=kept, links=LINKS, advice=ADVICE)
    return render(event, occasion, WATCHED)


def line(text: str) -> str:
    return " ".join(text.split())


def test_the_reader_learns_how_sure_we_are_who_was_first_and_how_much_of_the_audience_is_hit() -> (
    None
):
    message = told()
    for part in (line(message.text), line(message.html)):
        assert "We are very sure (98 %) of this cause." in part
        assert "We saw it 3 h 40 min before EX1227432 was published." in part
        assert "31 % of your audience (310 of 1,000 recipients) is at Microsoft 365." in part
        assert "(95 % interval: 2 March 2026, 08:20 UTC to 2 March 2026, 09:20 UTC)" in part


@pytest.mark.parametrize(
    "kept", [None, {}, {"recipients": 0, "total": 0}, {"recipients": "x", "total": 9}, [], "31 %"]
)
def test_an_audience_that_nobody_has_measured_is_not_spoken_of(kept: object) -> None:
    message = told(exposure=kept)
    assert "audience" not in message.text
    assert message.payload["exposure"] is None


def test_a_share_is_a_span_where_the_dns_told_nothing_of_a_part_of_the_audience() -> None:
    message = told(exposure={"recipients": 310, "unknown": 100, "total": 1000})
    said = "31 to 41 % of your audience (at least 310 of 1,000 recipients) is at Microsoft 365."
    assert said in line(message.text)
    assert said in line(message.html)


def test_a_few_recipients_of_many_are_not_said_to_be_none() -> None:
    text = line(told(exposure={"recipients": 1, "total": 1000}).text)
    assert "less than 1 % of your audience (1 of 1,000 recipients)" in text


@pytest.mark.parametrize(
    ("probable", "words"),
    [
        (0.5, "not sure (50 %)"),
        (0.949, "fairly sure (94 %)"),
        (0.96, "very sure (96 %)"),
        (0.9999, "as good as certain (99 %)"),
    ],
)
def test_certainty_is_a_word_and_a_number_that_never_rounds_up(probable: float, words: str) -> None:
    event = replace(PROVIDER, posterior={PROVIDER.cause: probable})
    assert f"We are {words} of this cause." in line(told(event).text)


def test_where_evidence_is_insufficient_that_is_said() -> None:
    text = told(replace(PROVIDER, cause=Cause.INSUFFICIENT)).text
    assert "insufficient evidence" in text
    assert "We are" not in text


@pytest.mark.parametrize(
    ("news", "subject", "first"),
    [
        ("reminder", "Reminder: ", "Not over yet: nobody of yours has acknowledged this so far."),
        ("widened", "More is hit: ", "New: more is hit than when we last told you, now 2 senders."),
        ("changed", "New cause: ", "New: we now see another cause, or other mail that is hit,"),
        ("opened", "Microsoft 365, not you: ", "It is Microsoft 365, not you: "),
    ],
)
def test_what_is_new_stands_first(news: str, subject: str, first: str) -> None:
    message = told(news=news)
    assert message.subject.startswith(subject)
    assert line(message.text).startswith(first)
    assert message.short.startswith(first)
    assert "It is Microsoft 365, not you: since" in message.short
    assert message.event == f"incident.{news}"


def test_who_has_not_mailed_there_yet_is_told_to_hold_it() -> None:
    message = told(before=True, tests=[])
    verdict = line(message.text.split("\n\n", maxsplit=1)[0])
    assert message.subject.startswith("Before you send: Microsoft 365, not you")
    assert verdict.startswith("It is Microsoft 365, not you:")
    assert verdict.endswith("You have not mailed Microsoft 365 since: hold it.")
    assert "report" not in message.text.lower()  # nothing of theirs was held back
    assert message.payload["before"] is True


def test_a_report_to_the_provider_is_ready_to_be_pasted_with_its_facts() -> None:
    text = line(told().text)
    assert "Report it to Microsoft 365 at https://microsoft365.example/: a text" in text
    assert "Microsoft 365 treats mail that links to lnk[.]example[.]net as unwanted" in text
    assert "2 senders hit: 37 of 40 test messages did not reach the inbox (92 %," in text
    assert 'href="https://microsoft365.example/"' in told().html


@pytest.mark.parametrize(
    "event",
    [SENDER, replace(PROVIDER, gauge="delay_h"), replace(PROVIDER, state=State.SUSPECTED)],
)
def test_what_is_no_false_positive_is_not_reported(event: IncidentEvent) -> None:
    assert "a text for that stands below" not in told(event).text


def test_an_alert_can_be_acknowledged_and_silenced_by_link() -> None:
    message = told()
    for link in (LINKS.acknowledge, LINKS.snooze):
        assert link in message.text
        assert f'href="{link}"' in message.html


JARGON = ("SPF", "DKIM", "DMARC", "DNS", "n_eff", "independent copies", "blocklisted")


@pytest.mark.parametrize("cause", list(Cause))
def test_a_marketer_reads_no_jargon(cause: Cause) -> None:
    message = told(replace(SENDER, cause=cause, provider="gmail"), Audience.MARKETER)
    assert not [word for word in JARGON if word in message.text + message.html]


def test_a_sending_service_gets_the_advice_as_a_document() -> None:
    message = told(audience=Audience.ESP)
    assert message.html == ""
    assert "hold mail for microsoft365; MX mail.protection.outlook.com" in line(message.text)
    attached = json.loads(message.files[FILE])
    assert attached["hold_advice"][0]["until"] == UNTIL.isoformat()
    assert attached["hold_advice"][0]["feature"] == "url:lnk[.]example[.]net"


def test_whoever_runs_a_sending_service_reads_what_other_people_read() -> None:
    text = line(told(audience=Audience.ESP, before=True).text)
    assert "You have not mailed Microsoft 365 since: hold it." in text
    assert "31 % of your audience (310 of 1,000 recipients) is at Microsoft 365." in text
    assert "What not to do - Do not change your DNS records" in text
    assert LINKS.acknowledge in text


def test_machines_are_told_the_same_with_the_feature_as_it_is() -> None:
    payload = json.loads(json.dumps(told().payload))
    assert payload["incident"] == PROVIDER.incident
    assert payload["feature"] == FEATURE
    assert payload["since"] == START.isoformat()
    assert payload["posterior"] == {"provider_feature": 0.98}
    assert payload["evidence"][0]["bad"] == 37
    assert payload["links"]["incident"] == "https://watch.example/incidents/m365%2F2026%201"
    assert payload["exposure"] == {
        "share": 0.31,
        "share_at_most": 0.31,
        "recipients": 310,
        "total": 1000,
    }


@pytest.mark.parametrize("audience", list(Audience))
@pytest.mark.parametrize("state", list(State))
def test_no_form_of_an_alert_by_mail_holds_the_blamed_domain(
    audience: Audience, state: State
) -> None:
    office = replace(WATCHED, base_url="https://watch.lnk.example.net")
    occasion = Occasion("ops@a.example", audience, body=BODY, links=LINKS, advice=ADVICE)
    message = render(replace(PROVIDER, state=state), occasion, office)
    for part in (
        message.subject,
        message.text,
        message.html,
        message.short,
        *message.files.values(),
    ):
        assert "lnk.example.net" not in part.lower()
