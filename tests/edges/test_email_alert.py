"""Alerts by e-mail: the right words first, and nothing from outside left unescaped."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerts.email import EmailAlerter
from monitor.alerts.message import render
from monitor.alerts.occasion import Occasion, Office
from monitor.core.campaigns import Handover, Letter, Outcome, SmtpReply
from monitor.core.clock import ManualClock
from monitor.core.errors import (
    AgainLaterError,
    BadInputError,
    InDoubtError,
    PersonNeededError,
    TransportBusyError,
    TransportRefusedError,
)
from monitor.core.incidents import Cause, Direction, Evidence, IncidentEvent, State, Tally
from monitor.core.ports import Alert, Message
from monitor.core.seeds import ProviderFacts
from monitor.rendering import data_dir

NAMES = {"microsoft365": "Microsoft 365", "gmail": "Gmail"}
START = datetime(2026, 3, 2, 9, 20, tzinfo=UTC)
UNTIL = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
FEATURE = "url:lnk.example.net"


def tally(name: str, bad: int, n: int = 20) -> Tally:
    return Tally(name, n=n, bad=bad, n_eff=5.0, low=0.6, high=0.99, expected=0.03)


PROVIDER = IncidentEvent(
    at=datetime(2026, 3, 2, 14, 10, tzinfo=UTC),
    incident="m365/2026 1",
    state=State.CONFIRMED,
    cause=Cause.PROVIDER_FEATURE,
    start=START,
    start_low=datetime(2026, 3, 2, 8, 20, tzinfo=UTC),
    start_high=START,
    posterior={Cause.PROVIDER_FEATURE: 0.98},
    sentence="Microsoft 365 is quarantining mail that links to LNK.example.net: 2 of 3 senders.",
    reason="More mail says so.",
    provider="microsoft365",
    feature=FEATURE,
    hit=("a.example", "b.example"),
    spared=("c.example",),
    evidence=Evidence(
        hit=(tally("a.example", 19), tally("b.example", 18)),
        spared=(tally("c.example", 1),),
        controls=(tally("gmail", 1), tally(f"without {FEATURE}", 0), tally("yahoo", 0, n=0)),
        placements={"quarantine": 30, "removed": 7, "inbox": 99},
    ),
)
SENDER = replace(
    PROVIDER,
    cause=Cause.SENDER,
    provider=None,
    feature=None,
    sender="northwind.example.org",
    sentence="Mail from northwind.example.org goes to spam at all 8 providers.",
    evidence=Evidence(
        hit=(tally("northwind.example.org", 19),),
        spared=(tally("c.example", 1), tally("d.example", 1)),
        placements={"spam": 19},
    ),
)


FACTS = {
    provider: ProviderFacts(
        provider, name, (), None, {}, report_form=f"https://{provider}.example/"
    )
    for provider, name in NAMES.items()
}
OFFICE = Office(facts=FACTS)
WATCHED = replace(OFFICE, base_url="https://watch.example/")


def write(event: IncidentEvent) -> tuple[str, str, str]:
    told = render(event, Occasion("ops@a.example"), WATCHED)
    return told.subject, told.text, told.html


def first_sentence(event: IncidentEvent) -> str:
    text = write(event)[1]
    return " ".join(text.split("\n\n", maxsplit=1)[0].split())


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            PROVIDER,
            (
                "It is Microsoft 365, not you: since 2 March 2026, 09:20 UTC, mail that links to"
                " lnk[.]example[.]net is quarantined there."
            ),
        ),
        (
            replace(PROVIDER, state=State.SUSPECTED, cause=Cause.PROVIDER, feature=None),
            (
                "It is probably Microsoft 365, not you: since 2 March 2026, 09:20 UTC, mail is"
                " quarantined there."
            ),
        ),
        (
            replace(PROVIDER, direction=Direction.BETTER, feature=None, cause=Cause.PROVIDER),
            (
                "Nothing is wrong: since 2 March 2026, 09:20 UTC, Microsoft 365 lets mail through"
                " that it used to hold back."
            ),
        ),
        (
            SENDER,
            (
                "It is your mail, at every provider: since 2 March 2026, 09:20 UTC, mail from"
                " northwind.example.org goes to spam, while that of others arrives."
            ),
        ),
        (
            replace(SENDER, cause=Cause.SENDER_AT_PROVIDER, provider="gmail", evidence=Evidence()),
            (
                "It is your mail, at Gmail: since 2 March 2026, 09:20 UTC, mail from"
                " northwind.example.org does not reach the inbox there."
            ),
        ),
        (
            replace(SENDER, cause=Cause.CONTENT),
            (
                "It is what the mail contains, not a provider: since 2 March 2026, 09:20 UTC, mail"
                " from northwind.example.org goes to spam everywhere."
            ),
        ),
        (
            replace(PROVIDER, cause=Cause.ESP, esp="mailwing"),
            (
                "It is the sending service mailwing, not your mail: since 2 March 2026, 09:20 UTC,"
                " what is sent through it is quarantined."
            ),
        ),
        (
            replace(PROVIDER, state=State.RECOVERING, until=UNTIL),
            (
                "Microsoft 365 delivers normally again since 2 March 2026, 12:00 UTC: mail that"
                " links to lnk[.]example[.]net arrives."
            ),
        ),
        (
            replace(SENDER, state=State.CLOSED, until=UNTIL),
            "Your mail arrives normally again since 2 March 2026, 12:00 UTC.",
        ),
    ],
)
def test_the_first_sentence_says_whose_fault_it_is(event: IncidentEvent, expected: str) -> None:
    assert first_sentence(event) == expected


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("cause", list(Cause))
def test_every_cause_in_every_state_has_its_words(cause: Cause, state: State) -> None:
    subject, text, html = write(replace(PROVIDER, cause=cause, state=state))

    assert 10 < len(subject) <= 180
    assert "\n" not in subject
    assert first_sentence(replace(PROVIDER, cause=cause, state=state)).endswith(".")
    assert "https://watch.example/incidents/m365%2F2026%201" in text
    assert 'href="https://watch.example/incidents/m365%2F2026%201"' in html


def test_the_provider_is_to_be_waited_for() -> None:
    text = write(PROVIDER)[1]

    assert "Hold mail that links to lnk[.]example[.]net for Microsoft 365 addresses" in text
    assert "another link domain" in text
    assert "Do not change your DNS records" in text
    assert "do not warm up" in text


def test_the_senders_own_trouble_is_not_to_be_waited_for() -> None:
    text = write(SENDER)[1]

    assert "Pause campaigns from northwind.example.org" in text
    assert "Do not wait for the provider" in text
    assert "DNS records" not in text


DELAY = replace(PROVIDER, cause=Cause.PROVIDER, feature=None, gauge="delay_h", evidence=Evidence())
MILDER = replace(PROVIDER, cause=Cause.PROVIDER, feature=None, direction=Direction.BETTER)


def in_one_line(event: IncidentEvent) -> str:
    return " ".join(write(event)[1].split())


def test_a_filter_that_lets_mail_through_is_a_notice_that_asks_for_nothing() -> None:
    subject, text, _ = write(MILDER)

    assert subject.startswith("For your information: Microsoft 365 lets more mail through")
    assert "- Nothing. It is nothing that you changed" in text
    assert "Hold" not in text
    assert "- 2 senders whose mail fares better: 37 of 40 (92 %)" in text
    assert "- 1 other sender as usual: 1 of 20" in text


def test_the_end_of_a_milder_filter_is_no_recovery() -> None:
    subject, text, _ = write(replace(MILDER, state=State.CLOSED, until=UNTIL))

    assert subject == "Microsoft 365 treats mail as usual again"
    assert "Nothing needs to be done" in text
    assert "held" not in text


def test_mail_that_is_late_is_not_to_be_sent_again() -> None:
    subject, text, _ = write(DELAY)

    assert subject == "Microsoft 365, not you: mail arrives late"
    assert "Send what must be read at a certain hour earlier" in text
    assert "Do not send again what has not arrived" in text
    assert "held back" not in text


def test_the_end_of_a_delay_says_that_mail_is_in_time() -> None:
    assert first_sentence(replace(DELAY, state=State.CLOSED, until=UNTIL)) == (
        "Microsoft 365 delivers in time again since 2 March 2026, 12:00 UTC."
    )
    through = replace(DELAY, cause=Cause.ESP, provider=None, state=State.CLOSED, until=UNTIL)
    assert write(through)[0] == "Mail arrives in time again"


def test_what_becomes_part_of_another_incident_is_not_said_to_be_over() -> None:
    part = replace(DELAY, gauge=None, state=State.CLOSED, part_of="m365-delay-1", until=UNTIL)
    subject, text, _ = write(part)

    assert subject == "Not over at Microsoft 365: another incident tells of it now"
    assert "again since" not in text
    assert "Keep holding what you hold" in text
    assert "https://watch.example/incidents/m365-delay-1" in text


def test_a_sender_is_told_when_it_turns_out_not_to_be_its_mail_alone() -> None:
    subject, text, _ = write(replace(SENDER, state=State.CLOSED, part_of="m365-1"))

    assert subject == "Not your mail alone: others are hit as well"
    assert "holds no longer: see the other incident" in " ".join(text.split())
    assert "arrives normally" not in text


@pytest.mark.parametrize("event", [PROVIDER, SENDER, DELAY, MILDER])
def test_what_ends_unseen_is_not_said_to_be_normal_again(event: IncidentEvent) -> None:
    reason = "There has been no mail for a week to judge it by."
    told = replace(event, state=State.CLOSED, reason=reason)

    assert f"We see no more of it{'' if event is SENDER else ' at Microsoft 365'}, and" in (
        in_one_line(told)
    )
    assert reason in in_one_line(told)
    for part in write(told)[:2]:
        assert "again since" not in part
        assert "normally" not in part


def test_of_a_pair_it_is_said_that_it_takes_both() -> None:
    subject, text, _ = write(replace(PROVIDER, feature=f"esp:acme+{FEATURE}"))

    assert "sent through acme that links to lnk[.]example[.]net is quarantined" in subject
    assert "- It takes both: mail with only one of the two arrives." in text


def test_a_region_is_a_place_and_not_part_of_the_mail() -> None:
    text = in_one_line(replace(PROVIDER, feature="region:eu"))

    assert "- Hold mail for mailboxes of Microsoft 365 in eu; send all other mail" in text


@pytest.mark.parametrize("state", list(State))
def test_the_blamed_domain_never_stands_as_itself(state: State) -> None:
    """A warning that named it would be filtered for what it warns of."""
    for part in write(replace(PROVIDER, state=state)):
        assert "lnk.example.net" not in part.lower()


def test_the_evidence_is_told_with_its_numbers() -> None:
    _, text, html = write(PROVIDER)

    assert "- 2 senders hit: 37 of 40 (92 %)" in text
    assert "likely 62 % to 99 %; worth 10 independent copies; usual 3 %" in text
    assert "- 1 other sender spared: 1 of 20 (5 %)" in text
    assert "- The same mail at Gmail: 1 of 20 (5 %)" in text
    assert "- Other mail at Microsoft 365: 0 of 20 (0 %)" in text
    assert "37\xa0of\xa040" in html.replace("&nbsp;", "\xa0")


def test_no_data_makes_no_row() -> None:
    text = write(PROVIDER)[1]

    assert "yahoo" not in text.lower()


def test_other_senders_are_counted_but_never_named() -> None:
    for part in write(PROVIDER):
        assert "a.example," not in part
        assert "b.example" not in part
        assert "c.example" not in part


def test_affected_tests_are_listed_with_their_links() -> None:
    tests = [{"uid": "t1", "name": "March news"}, {"uid": "t/2", "name": "<b>odd</b>"}]
    told = render(PROVIDER, Occasion("x@a.example", body={"tests": tests}), WATCHED)
    text, html = told.text, told.html

    assert "- March news: https://watch.example/tests/t1" in text
    assert re.search(r'<a [^>]*href="https://watch.example/tests/t1"[^>]*>March news</a>', html)
    assert "&lt;b&gt;odd&lt;/b&gt;" in html


def test_without_a_dashboard_there_is_no_link() -> None:
    told = render(PROVIDER, Occasion("x@a.example"), Office())

    assert "http" not in told.text
    assert "href" not in told.html


def test_templates_of_one_s_own_come_before_ours(tmp_path: Path) -> None:
    own = tmp_path / "mail" / "incident"
    own.mkdir(parents=True)
    (own / "subject.txt").write_text("Acme: {{ say.lead[0] }}", "utf-8")

    told = render(PROVIDER, Occasion("x@a.example"), replace(OFFICE, templates_dir=tmp_path))

    assert told.subject.startswith("Acme: It is Microsoft 365, not you: since 2 March 2026")
    assert told.text == render(PROVIDER, Occasion("x@a.example"), OFFICE).text


def test_words_of_one_s_own_are_said_in_our_templates(tmp_path: Path) -> None:
    words = (data_dir("templates") / "mail" / "words.txt").read_text("utf-8")
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail" / "words.txt").write_text(
        words.replace(", not you", ", and not you"), "utf-8"
    )

    text = render(PROVIDER, Occasion("x@a.example"), replace(OFFICE, templates_dir=tmp_path)).text

    assert text.startswith("It is Microsoft 365, and not you: since 2 March 2026")


HOSTILE = '<script>alert(1)</script>"\r\nBcc: x@y.example\x1b[2J\x00\u2028{{ 7 * 7 }}'


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("cause", list(Cause))
def test_what_comes_from_outside_is_escaped(cause: Cause, state: State) -> None:
    evil = replace(
        PROVIDER,
        cause=cause,
        state=state,
        provider=HOSTILE,
        sender=HOSTILE,
        esp=HOSTILE,
        feature=f"esp:{HOSTILE}",
        sentence=HOSTILE,
        evidence=Evidence(hit=(tally(HOSTILE, 1),), controls=(tally(HOSTILE, 1),)),
    )
    body = {"tests": [{"uid": HOSTILE, "name": HOSTILE}], "lead": HOSTILE, "news": HOSTILE}
    told = render(evil, Occasion(HOSTILE, body=body), Office(base_url="https://w.example"))
    subject, text, html = told.subject, told.text, told.html

    assert "<script" not in html
    assert "49" not in html + text + subject
    assert all(character.isprintable() or character == "\n" for character in text + html)
    assert "\n" not in subject


@given(st.text(max_size=200), st.text(max_size=80), st.sampled_from(["url", "track", "dkim", "x"]))
def test_any_names_can_be_told(words: str, value: str, kind: str) -> None:
    event = replace(PROVIDER, sentence=words, feature=f"{kind}:{value}", provider=words)

    told = render(event, Occasion(words), OFFICE)
    assert told.subject
    assert told.text
    assert told.html


class Outbox:
    """A transport that keeps what it is given and ends as it is told."""

    def __init__(self, outcome: Outcome = Outcome.ACCEPTED, problem: str = "") -> None:
        self.letters: list[Letter] = []
        self._outcome = outcome
        self._problem = problem

    def send(self, letters: Sequence[Letter]) -> Iterator[Handover]:
        for letter in letters:
            self.letters.append(letter)
            reply = None if self._problem else SmtpReply(550, "5.1.1", "no such user")
            yield Handover(letter.message_id, self._outcome, reply, self._problem)


CLOCK = ManualClock(datetime(2026, 3, 2, 14, 11, tzinfo=UTC))


def alert(**changes: str) -> Alert:
    subject, text, html = write(PROVIDER)
    return replace(
        Alert(
            id="m365/1:confirmed:1",
            to="ops@a.example",
            message=Message(subject, text, html),
            message_id="<alert.2@watch.example>",
            in_reply_to="<alert.1@watch.example>",
        ),
        **changes,
    )


def sent(one: Alert) -> EmailMessage:
    outbox = Outbox()
    EmailAlerter(outbox, "alerts@watch.example", CLOCK).tell(one)
    [letter] = outbox.letters
    assert (letter.mail_from, letter.recipient) == ("alerts@watch.example", "ops@a.example")
    message = message_from_bytes(letter.raw, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def test_an_alert_is_a_message_in_text_and_html() -> None:
    message = sent(alert())

    assert message["From"] == "Seedwatch <alerts@watch.example>"
    assert message["To"] == "ops@a.example"
    assert message["Subject"].startswith("Microsoft 365, not you: mail that links to lnk[.]example")
    assert message["Date"].datetime == CLOCK.now()
    assert message["Message-ID"] == "<alert.2@watch.example>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]


def test_alerts_of_one_incident_are_grouped() -> None:
    message = sent(alert())

    assert message["In-Reply-To"] == "<alert.1@watch.example>"
    assert message["References"] == "<alert.1@watch.example>"


@pytest.mark.parametrize("first", ["", "<alert.2@watch.example>"])
def test_the_first_alert_answers_nothing(first: str) -> None:
    assert sent(alert(in_reply_to=first))["In-Reply-To"] is None


def test_the_same_alert_again_is_the_same_message() -> None:
    assert sent(alert()).as_bytes() == sent(alert()).as_bytes()


@pytest.mark.parametrize(
    ("outcome", "problem", "expected"),
    [
        (Outcome.REJECTED, "", PersonNeededError),
        (Outcome.DEFERRED, "", AgainLaterError),
        (Outcome.FAILED, "cannot reach mx.example:25", TransportBusyError),
        (Outcome.UNCERTAIN, "the message was sent, but not confirmed", InDoubtError),
    ],
)
def test_what_went_wrong_is_told_apart(
    outcome: Outcome, problem: str, expected: type[Exception]
) -> None:
    alerter = EmailAlerter(Outbox(outcome, problem), "alerts@watch.example", CLOCK)

    with pytest.raises(expected) as raised:
        alerter.tell(alert())

    assert (problem or "550 5.1.1 no such user") in str(raised.value)


def test_an_alert_in_doubt_is_neither_delivered_nor_to_be_repeated() -> None:
    alerter = EmailAlerter(Outbox(Outcome.UNCERTAIN, "lost"), "alerts@watch.example", CLOCK)

    with pytest.raises(InDoubtError, match="not sent again") as raised:
        alerter.tell(alert())

    assert isinstance(raised.value, PersonNeededError)


class Locked:
    """A transport whose server refuses us, at once or once it is asked for the outcome."""

    def __init__(self, *, at_once: bool) -> None:
        self._at_once = at_once

    def send(self, letters: Sequence[Letter]) -> Iterator[Handover]:
        if self._at_once:
            raise TransportRefusedError("cannot sign in.", remedy="Check the password.")
        return self._later()

    def _later(self) -> Iterator[Handover]:
        yield from ()
        raise TransportRefusedError("cannot sign in.", remedy="Check the password.")


@pytest.mark.parametrize("at_once", [True, False])
def test_a_server_that_refuses_us_is_no_verdict_on_the_recipient(at_once: bool) -> None:
    alerter = EmailAlerter(Locked(at_once=at_once), "alerts@watch.example", CLOCK)

    with pytest.raises(AgainLaterError, match=r"cannot sign in\. Check the password\."):
        alerter.tell(alert())


@pytest.mark.parametrize(
    ("field", "value"),
    [("to", "nobody"), ("subject", "x\r\nBcc: y@z.example"), ("message_id", "none")],
)
def test_an_alert_that_cannot_be_a_message_is_refused(field: str, value: str) -> None:
    one = alert()
    if field == "subject":
        one = replace(one, message=replace(one.message, subject=value))
    else:
        one = replace(one, **{field: value})

    with pytest.raises(BadInputError):
        sent(one)
