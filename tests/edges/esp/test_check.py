"""Proving a key without sending anything, and opening a service by name."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from monitor.core.errors import BadInputError, TransportBusyError, TransportRefusedError
from monitor.core.ports import Transport
from monitor.senders.kinds import ESPS, open_transport, option_names
from tests.edges.esp.conftest import make_service
from tests.edges.esp.server import EspServer, Silence, Vendor, flag, obj, reply, text
from tests.edges.esp.vendors import BY_KIND, KEY, VENDORS

Start = Callable[[Vendor], EspServer]


def test_a_check_says_who_we_are_and_sends_nothing(server: EspServer) -> None:
    assert make_service(server).check() == server.vendor.who
    assert server.letters == []


def test_a_check_says_that_a_key_is_not_known_and_what_to_do(server: EspServer) -> None:
    server.question = server.vendor.unknown_key
    service = make_service(server)

    with pytest.raises(TransportRefusedError) as refused:
        service.check()

    assert service.KEY_REMEDY in str(refused.value)
    assert KEY not in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "answer"),
    [(vendor.kind, answer) for vendor in VENDORS for answer in vendor.may_not_send],
)
def test_an_account_that_may_not_send_is_found_by_the_check(
    start: Start, kind: str, answer: bytes
) -> None:
    server = start(BY_KIND[kind])
    server.question = answer

    with pytest.raises(TransportRefusedError):
        make_service(server).check()


def test_a_key_that_may_only_send_is_a_good_one_at_resend(start: Start) -> None:
    server = start(BY_KIND["resend"])
    server.question = server.vendor.only_sends

    assert make_service(server).check() == "Resend: a key that may only send"


def test_another_key_does_not_pass_for_ours(server: EspServer) -> None:
    secret = next(name for name, value in server.vendor.options.items() if value == KEY)
    service = make_service(server, **{secret: "another-key"})

    with pytest.raises(TransportRefusedError):
        service.check()

    assert server.problems
    server.problems.clear()


def test_the_servers_here_find_what_is_in_no_schema() -> None:
    shape = obj({"known": text()}, {"more": flag})

    assert shape({"known": "x", "more": True}, "body") == []
    assert shape({"known": "", "more": 1, "other": 2}, "body") == [
        "body.other is not in the schema",
        "body.known does not match (?s).+: ''",
        "body.more is no boolean",
    ]


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_check_that_comes_at_a_bad_time_is_no_refusal(server: EspServer, status: int) -> None:
    server.question = reply(status, b"<html>", "text/html", Retry_After="17")

    with pytest.raises(TransportBusyError) as busy:
        make_service(server).check()

    assert busy.value.retry_after == timedelta(seconds=17)


def test_a_page_in_place_of_an_answer_proves_nothing(server: EspServer) -> None:
    server.question = reply(200, b"<html>Sign in</html>", "text/html")

    with pytest.raises(TransportBusyError):
        make_service(server).check()


HOSTILE = "\x1b[2J\r\n\x00" + "name " * 5000


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("mailgun", {"domain": {"state": HOSTILE}}),
        ("postmark", {"Name": HOSTILE}),
        ("ses", {"SendQuota": {"Max24HourSend": HOSTILE}}),
        ("sparkpost", {"results": {"company_name": HOSTILE, "status": "active"}}),
        ("brevo", {"companyName": HOSTILE}),
        ("resend", {"data": [{"name": HOSTILE}] * 9}),
        ("resend", {"data": [HOSTILE, 7, None]}),
        ("mailchimp", {"username": HOSTILE}),
    ],
)
def test_what_a_service_calls_us_is_shown_cut_and_on_one_line(
    start: Start, kind: str, answer: object
) -> None:
    server = start(BY_KIND[kind])
    server.question = reply(200, answer)
    try:
        shown = make_service(server).check()
    except TransportRefusedError as error:
        shown = str(error)

    assert shown.isprintable()
    assert len(shown) < 6000


def test_a_check_is_bounded_in_time(start: Start) -> None:
    server = start(BY_KIND["brevo"])
    server.question = Silence

    with pytest.raises(TransportBusyError, match="no answer in time"):
        make_service(server, timeout_s=0.2).check()


def test_a_check_of_nobody_says_so(server: EspServer) -> None:
    service = make_service(server)
    server.stop()

    with pytest.raises(TransportBusyError, match="cannot be reached"):
        service.check()


def test_every_vendor_described_can_be_opened() -> None:
    assert set(ESPS) == set(BY_KIND)
    for vendor in VENDORS:
        service: Transport = open_transport(vendor.kind, vendor.options, timeout_s=1)
        assert KEY not in repr(service)


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.kind)
def test_what_is_missing_is_named(vendor: Vendor) -> None:
    needed = {name for name, is_needed in option_names(vendor.kind).items() if is_needed}
    assert needed <= set(vendor.options)
    for name in vendor.options:
        with pytest.raises(BadInputError) as missing:
            open_transport(vendor.kind, {**vendor.options, name: ""}, timeout_s=1)
        assert missing.value.field == name
        assert missing.value.remedy


@pytest.mark.parametrize(
    ("kind", "options", "field", "remedy"),
    [
        ("sendgird", {}, "kind", "Did you mean 'sendgrid'?"),
        ("resend", {"api_kee": "x"}, "api_kee", "Did you mean 'api_key'?"),
        ("resend", {"api_key": "a\r\nX-Evil: 1"}, "api_key", "resend.com/api-keys"),
        ("resend", {"api_key": "x", "known": "1"}, "known", ""),
        ("resend", {"api_key": "x", "timeout_s": "1"}, "timeout_s", ""),
        ("resend", {"api_key": "x", "tracking": "off"}, "tracking", "resend.com/domains"),
        ("resend", {"api_key": "x", "tracking": "no"}, "tracking", "account, off"),
        ("resend", {"api_key": "x", "region": "eu"}, "region", "Leave it out."),
        ("brevo", {"api_key": "x", "tracking": "off"}, "tracking", "Switch it off"),
        ("sendgrid", {"api_key": "x", "region": "mars"}, "region", "global, eu"),
        ("mailgun", {"api_key": "x", "domain": "a/../b"}, "domain", "Name the sending domain"),
        ("postmark", {"server_token": "x", "base_url": "http://api.example"}, "base_url", "https"),
        ("postmark", {"server_token": "x", "base_url": "https://u:p@a.example"}, "base_url", ""),
        ("postmark", {"server_token": "x", "base_url": "ftp://a.example"}, "base_url", ""),
        ("postmark", {"server_token": "x", "base_url": "https://[::"}, "base_url", ""),
        ("postmark", {"server_token": "x", "base_url": "https://a.example:x"}, "base_url", ""),
    ],
)
def test_what_is_wrong_is_named_with_what_to_do(
    kind: str, options: dict[str, str], field: str, remedy: str
) -> None:
    with pytest.raises(BadInputError) as wrong:
        open_transport(kind, options, timeout_s=1)

    assert wrong.value.field == field
    assert remedy in wrong.value.remedy
    assert "Evil" not in str(wrong.value)


@pytest.mark.parametrize(
    ("field", "value"), [("region", "EU"), ("region", "eu-west-1/x"), ("access_key_id", "a b")]
)
def test_what_would_break_out_of_an_amazon_address_is_refused(field: str, value: str) -> None:
    with pytest.raises(BadInputError) as wrong:
        open_transport("ses", {**BY_KIND["ses"].options, field: value}, timeout_s=1)
    assert wrong.value.field == field


@pytest.mark.parametrize(
    ("kind", "options", "home"),
    [
        ("sendgrid", {}, "https://api.sendgrid.com"),
        ("sendgrid", {"region": "eu"}, "https://api.eu.sendgrid.com"),
        ("mailgun", {"region": "eu"}, "https://api.eu.mailgun.net"),
        ("sparkpost", {"region": "eu"}, "https://api.eu.sparkpost.com"),
        ("ses", {"region": "us-gov-west-1"}, "https://email.us-gov-west-1.amazonaws.com"),
        ("mailchimp", {}, "https://mandrillapp.com/api/1.0"),
        ("brevo", {"base_url": "https://proxy.example/brevo/"}, "https://proxy.example/brevo"),
    ],
)
def test_a_service_is_asked_where_the_account_lives(
    kind: str, options: dict[str, str], home: str
) -> None:
    given = {**BY_KIND[kind].options, **options}
    assert open_transport(kind, given, timeout_s=1).home == home
