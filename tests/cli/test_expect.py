"""`seedwatch test expect`: the user's own service sends; and ways out by name."""

import json
from datetime import timedelta
from pathlib import Path

from sqlmodel import Session, select

from monitor.store.tables import CampaignRow, CopyRow, TestRow
from monitor.store.work_tables import JobRow, ScheduleRow
from tests.cli.typed import listed, refused, run, setting

SAID = ("--from", "hello@news.example.org", "--subject", "March")


def expect(config: str, *options: str) -> tuple[str, ...]:
    return ("test", "expect", *options, "--config", config)


def configured(config: str, text: str) -> None:
    """Put *text* at the end of the configuration."""
    path = Path(config)
    path.write_text(path.read_text("utf-8") + text, "utf-8")


def test_a_campaign_that_is_expected_is_written_down_and_nothing_is_sent(
    seeded: str, letter: str, session: Session
) -> None:
    shown = run(*expect(seeded, letter, "--campaign-mark", "march-7", "--until", "2d"))
    assert shown.exit_code == 0, shown.output
    for words in ("waits for 'March' until", "seeds export --list default --for", "seeds diff"):
        assert words in shown.output
    test = session.exec(select(TestRow)).one()
    assert test.transport == "yours"
    assert test.expected_until == test.created_at + timedelta(days=2)
    assert test.campaign_mark == "march-7"
    assert {job.kind for job in session.exec(select(JobRow)).all()} == {"look", "end"}
    assert len(session.exec(select(CopyRow)).all()) == 2


def test_from_and_subject_are_enough_and_come_before_those_of_the_message(
    seeded: str, letter: str, session: Session
) -> None:
    assert run(*expect(seeded, *SAID)).exit_code == 0
    assert run(*expect(seeded, letter, "--subject", "[x] March")).exit_code == 0
    subjects = session.exec(select(CampaignRow.subject).order_by(CampaignRow.id)).all()  # type: ignore[arg-type]
    assert subjects == ["March", "[x] March"]


MISTAKES = [
    ((), ("--from", "is missing", "--subject")),
    (SAID[:2], ("--subject", "is missing")),
    ((*SAID[2:], "--from", "nobody"), ("--from", "is not a mail address")),
    ((*SAID, "--until", "soon"), ("--until", "is not a span of time", '"2h"')),
    ((*SAID, "--until", "15d"), ("--until", "is too long", "336 hours")),
    ((*SAID, "--campaign-mark", "a\nb"), ("--campaign-mark", "cannot be shown")),
    ((*SAID, "--alert-to", "me"), ("--alert-to", "is not a mail address")),
]


def test_what_is_said_wrong_is_refused(seeded: str, session: Session) -> None:
    for options, words in MISTAKES:
        assert refused(run(*expect(seeded, *options)), *words)
    assert session.exec(select(TestRow)).all() == []


def test_the_same_key_expects_one_campaign(seeded: str, session: Session) -> None:
    first = json.loads(run(*expect(seeded, *SAID, "--key", "k", "--json")).stdout)
    again = json.loads(run(*expect(seeded, *SAID, "--key", "k", "--json")).stdout)
    assert again["test"] == first["test"]
    assert len(session.exec(select(TestRow)).all()) == 1


def test_a_test_that_waits_says_so(seeded: str) -> None:
    uid = json.loads(run(*expect(seeded, *SAID, "--json")).stdout)["test"]
    shown = run("test", "show", uid, "--config", seeded)
    assert "Not received by any seed yet; awaited until" in shown.output
    told = listed(seeded, "test", "show", uid)
    assert (told["transport"], told["arrived_at"], told["matches"]) == ("yours", None, {})
    assert told["sent_at"] is None
    assert [one["sent_at"] for one in listed(seeded, "test", "list")] == [None]
    assert "not yet" in run("test", "list", "--config", seeded).output


SMTP = '\n[transports.bulk]\nkind = "smtp"\nhost = "127.0.0.1"\nport = 9\nsecurity = "plain"\n'
KEYLESS = '\n[transports.grid]\nkind = "sendgrid"\n'
STRANGE = '\n[transports.odd]\nkind = "sendgird"\n'
HOMELESS = '\n[transports.none]\nkind = "smtp"\n'


def test_a_test_goes_through_the_transport_that_is_named(
    seeded: str, letter: str, session: Session
) -> None:
    configured(seeded, SMTP)
    send = ("test", "send", letter, "--config", seeded, "--through", "bulk", "--over", "30m")
    shown = run(*send)
    assert shown.exit_code == 0, shown.output
    assert "sends it over 30m" in shown.output
    test = session.exec(select(TestRow)).one()
    assert test.transport == "bulk"
    assert 0 < test.spread_s <= 1800
    assert all(copy.send_after for copy in session.exec(select(CopyRow)).all())
    assert "Sent through 'bulk'." in run("test", "show", test.uid, "--config", seeded).output


def test_a_schedule_keeps_its_transport_and_its_spread(
    seeded: str, letter: str, session: Session
) -> None:
    configured(seeded, SMTP)
    wish = ("--through", "bulk", "--over", "2h", "--every", "every 6h")
    assert run("test", "send", letter, "--config", seeded, *wish).exit_code == 0
    schedule = session.exec(select(ScheduleRow).where(ScheduleRow.kind == "start")).one()
    assert (schedule.args["through"], schedule.args["over_s"]) == ("bulk", 7200)


UNUSABLE = [
    (("--through", "bulky"), ("'bulky'", "is not in the configuration", "Did you mean 'bulk'")),
    (("--through", "other"), ("'other'", "is not in the configuration", "[transports.other]")),
    (("--through", "grid"), ("transports.grid.api_key", "is missing for sendgrid")),
    (("--through", "odd"), ("transports.odd.kind", "'sendgird'", "sendgrid")),
    (("--through", "none"), ("transports.none.host", "is missing")),
    (("--through", "yours"), ("--through", "your own service sends", "test expect")),
    (("--over", "25h"), ("--over", "is too long", "24 hours")),
    (("--over", "1w"), ("--over", "is not a span of time")),
]


def test_a_way_out_that_cannot_be_used_is_refused_at_once(
    seeded: str, letter: str, session: Session
) -> None:
    configured(seeded, SMTP + KEYLESS + STRANGE + HOMELESS)
    for options, words in UNUSABLE:
        assert refused(run("test", "send", letter, "--config", seeded, *options), *words)
    assert session.exec(select(TestRow)).all() == []


def test_doctor_looks_at_every_transport(seeded: str) -> None:
    yours = '\n[transports.yours]\nkind = "smtp"\nhost = "localhost"\n'
    configured(seeded, SMTP + KEYLESS + yours)
    setting(seeded, "sending", "timeout_s = 1")
    shown = run("doctor", "--config", seeded).output
    assert "transport bulk" in shown
    assert "[transports.bulk]" in shown
    assert "transports.grid.api_key" in shown
    assert "this name is reserved" in shown
