"""Asking a Microsoft 365 tenant: in the lab, and where the service says no."""

import json
import smtplib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from monitor.bounded_http import retry_after
from monitor.core.campaigns import Found, Role, Wanted
from monitor.core.clock import ManualClock
from monitor.core.errors import BadInputError, MailboxBusyError, MailboxLockedError
from monitor.core.ports import PartlyReadError
from monitor.core.seeds import Account, Endpoint, ProviderFacts, Security
from monitor.lab.lab import Lab
from monitor.lab.scenario import load_scenario
from monitor.mailboxes.graph import HUNT_AGAIN, CombinedMailbox, GraphTenant
from monitor.mailboxes.hunting import placement_query
from monitor.mailboxes.imap import ImapMailbox
from monitor.mailboxes.kinds import ReaderParts, open_mailbox
from monitor.tenant import TenantAccess

Web = Callable[..., Any]
Answer = Callable[..., bytes]
Want = Callable[..., Wanted]
Write = Callable[..., bytes]

SEED = "seed@m365.lab.example"
HUNT = "POST /v1.0/security/runHuntingQuery"
TRACE = "GET /v1.0/admin/exchange/tracing/messageTraces"
TOKEN = "POST /acme/oauth2/v2.0/token"
QUARANTINE = '[[rule]]\naction = "quarantine"\nprovider = "microsoft365"\n'
ZAP = '[[rule]]\naction = "zap"\nprovider = "microsoft365"\ndelay = "30m"\n'


def start_lab(rules: str, clock: ManualClock) -> Lab:
    lab = Lab(load_scenario(rules, name="test"), clock=clock, seed=1)
    lab.add_mailbox(SEED, "pw")
    return lab


def tenant_of(lab: Lab, secret: str = "", clock: ManualClock | None = None) -> GraphTenant:
    access = TenantAccess(
        base_url=lab.api_url,
        login_url=lab.api_url,
        tenant=lab.graph_tenant,
        client_id=lab.graph_client_id,
        client_secret=secret or lab.graph_client_secret,
    )
    return GraphTenant(access, clock=clock)


def send(lab: Lab, raw: bytes) -> None:
    route = lab.smtp_route("m365.lab.example")
    with smtplib.SMTP(route.host, route.port) as smtp:
        smtp.sendmail("bounce@brand.example", SEED, raw)


def combined(lab: Lab, facts: dict[str, ProviderFacts]) -> CombinedMailbox:
    account = Account(SEED, "microsoft365", lab.providers["microsoft365"].imap, SEED, "pw", "acme")
    mailbox = open_mailbox(
        account, facts["microsoft365"], ReaderParts(tenants={"acme": tenant_of(lab)}, timeout_s=5)
    )
    assert isinstance(mailbox, CombinedMailbox)
    return mailbox


def test_quarantine_is_seen_though_imap_does_not_show_it(
    clock: ManualClock, facts: dict[str, ProviderFacts], wanted: Want, letter: Write
) -> None:
    with start_lab(QUARANTINE, clock) as lab:
        send(lab, letter(1))
        mailbox = combined(lab, facts)

        (copy,) = mailbox.look([wanted(1), wanted(2)])

        assert (copy.message_id, copy.role) == ("<1@brand.example>", Role.QUARANTINE)
        assert (copy.folder, copy.note) == ("Quarantine", "Phish: URL malicious reputation")
        assert copy.received_at == clock.now()
        assert mailbox.read("<1@brand.example>", limit=10) is None
        mailbox.close()


def test_a_copy_pulled_back_after_delivery_is_seen_in_quarantine(
    clock: ManualClock, facts: dict[str, ProviderFacts], wanted: Want, letter: Write
) -> None:
    with start_lab(ZAP, clock) as lab:
        send(lab, letter(1))
        mailbox = combined(lab, facts)
        assert [c.role for c in mailbox.look([wanted(1)])] == [Role.INBOX]
        assert (mailbox.read("<1@brand.example>", limit=5000) or b"").endswith(b"body\r\n")

        clock.sleep(timedelta(hours=1))

        assert [c.role for c in mailbox.look([wanted(1, was_found=True)])] == [Role.QUARANTINE]
        mailbox.close()


def test_a_token_that_ran_out_is_renewed(clock: ManualClock, wanted: Want, letter: Write) -> None:
    with start_lab(QUARANTINE, clock) as lab:
        send(lab, letter(1))
        tenant = tenant_of(lab)
        assert len(tenant.places([wanted(1)], SEED)) == 1

        clock.sleep(timedelta(hours=2))

        assert len(tenant.places([wanted(1)], SEED.upper())) == 1


def test_a_busy_service_says_when_to_come_again(clock: ManualClock, wanted: Want) -> None:
    rule = '[[rule]]\naction = "api_busy"\nprovider = "microsoft365"\ndelay = "90s"\n'
    with start_lab(rule, clock) as lab, pytest.raises(MailboxBusyError) as caught:
        tenant_of(lab).places([wanted(1)], SEED)

    assert caught.value.retry_after == timedelta(seconds=90)


def test_a_wrong_secret_needs_a_person_and_is_not_repeated(lab: Lab, wanted: Want) -> None:
    tenant = tenant_of(lab, secret="wr0ng")

    with pytest.raises(MailboxLockedError) as caught:
        tenant.places([wanted(1)], SEED)

    assert caught.value.what == "Microsoft Graph refuses the sign-in (401 invalid_client)."
    assert "wr0ng" not in f"{caught.value} {tenant!r} {tenant.__dict__}"


def test_looking_for_nothing_proves_mailbox_and_tenant(
    clock: ManualClock, facts: dict[str, ProviderFacts]
) -> None:
    with start_lab(QUARANTINE, clock) as lab:
        mailbox = combined(lab, facts)
        assert mailbox.look([]) == []
        mailbox.close()
        account = Account(
            SEED, "microsoft365", lab.providers["microsoft365"].imap, SEED, "pw", "acme"
        )
        wrong = open_mailbox(
            account,
            None,
            ReaderParts(tenants={"acme": tenant_of(lab, secret="wr0ng")}, timeout_s=5),
        )
        with pytest.raises(MailboxLockedError):
            wrong.look([])
        wrong.close()


class FakeImap:
    """Shows what it is given."""

    def __init__(self, *found: Found) -> None:
        self.found = list(found)

    def look(self, wanted: Sequence[Wanted]) -> list[Found]:
        return self.found

    def read(self, message_id: str, *, limit: int) -> bytes | None:
        return None

    def close(self) -> None:
        self.found = []


class Service:
    """A tenant whose service answers as told."""

    def __init__(self, web: Web, answer: Answer, *, timeout_s: float = 5) -> None:
        self.answer = answer
        self.clock = ManualClock(datetime(2026, 3, 2, 8, 0, tzinfo=UTC))
        self.server = web({TOKEN: self.json({"access_token": "t0ken", "expires_in": 3599})})
        self.tenant = GraphTenant(
            TenantAccess(
                base_url=self.server.url,
                login_url=self.server.url,
                tenant="acme",
                client_id="app",
                client_secret="s3cret",
                timeout_s=timeout_s,
            ),
            clock=self.clock,
        )

    def json(self, value: object, status: int = 200, **headers: str) -> bytes:
        return self.answer(status, json.dumps(value), Content_Type="application/json", **headers)

    def set(self, key: str, answer: bytes | Callable[[int], bytes]) -> None:
        self.server.answers[key] = answer

    def asked(self, key: str) -> int:
        return sum(request.startswith(key) for request in self.server.requests)


@pytest.fixture
def service(web: Web, answer: Answer) -> Service:
    return Service(web, answer)


def row(location: str = "Quarantine", **fields: object) -> dict[str, object]:
    return {
        "InternetMessageId": "<1@brand.example>",
        "RecipientEmailAddress": SEED,
        "LatestDeliveryLocation": location,
        "Timestamp": "2026-03-02T08:00:00Z",
        **fields,
    }


@pytest.mark.parametrize(
    ("location", "role"),
    [
        ("Inbox/Folder", Role.INBOX),
        ("Junk", Role.SPAM),
        ("Junk folder", Role.SPAM),
        ("Quarantine", Role.QUARANTINE),
        ("QUARANTINE", Role.QUARANTINE),
        ("Deleted items", Role.TRASH),
        ("Failed", None),
        ("On-premises/External", None),
        ("Dropped", None),
        ("", None),
    ],
)
def test_a_location_has_its_role(
    service: Service, wanted: Want, location: str, role: Role | None
) -> None:
    service.set(HUNT, service.json({"results": [row(location)]}))

    found = service.tenant.places([wanted(1)], SEED)

    assert [copy.role for copy in found] == ([role] if role else [])


def test_what_imap_can_see_is_believed_of_imap_alone(service: Service, wanted: Want) -> None:
    """The logs lag behind: "inbox" there of a copy that is not in the inbox is out of date."""
    rows = [row("Inbox/Folder"), row("Quarantine", InternetMessageId="<2@brand.example>")]
    service.set(HUNT, service.json({"results": rows}))
    seen = Found("<3@brand.example>", "INBOX", Role.INBOX)
    mailbox = CombinedMailbox(FakeImap(seen), service.tenant, SEED)

    found = mailbox.look([wanted(1), wanted(2), wanted(3)])

    assert [(c.message_id, c.role) for c in found] == [
        ("<3@brand.example>", Role.INBOX),
        ("<2@brand.example>", Role.QUARANTINE),
    ]
    assert "<3@brand.example>" not in service.server.bodies[-1].decode()


@pytest.mark.parametrize(
    ("status", "words"),
    [(429, "cannot answer now"), (401, "does not know us"), (403, "refuses this question")],
)
def test_what_imap_found_is_known_though_the_tenant_does_not_answer(
    service: Service, wanted: Want, status: int, words: str
) -> None:
    for key in (HUNT, TRACE):
        service.set(key, service.json({"error": {}}, status, Retry_After="90"))
    seen = Found("<2@brand.example>", "INBOX", Role.INBOX)
    mailbox = CombinedMailbox(FakeImap(seen), service.tenant, SEED)

    with pytest.raises(PartlyReadError, match=words) as caught:
        mailbox.look([wanted(1), wanted(2)])

    assert caught.value.partial == (seen,)
    assert caught.value.retry_after == (timedelta(seconds=90) if status == 429 else None)
    assert bool(caught.value.remedy) is (status != 429)


def test_a_tenant_that_wants_to_be_left_alone_is_not_asked_meanwhile(
    service: Service, wanted: Want
) -> None:
    service.set(HUNT, service.json({"error": {}}, 429, Retry_After="3600"))
    with pytest.raises(MailboxBusyError, match="429"):
        service.tenant.places([wanted(1)], SEED)
    service.set(HUNT, service.json({"results": [row()]}))

    service.clock.sleep(timedelta(minutes=59))
    with pytest.raises(MailboxBusyError, match="left alone") as caught:
        service.tenant.places([wanted(1)], SEED)
    asked = service.asked(HUNT)
    service.clock.sleep(timedelta(minutes=1))

    assert (asked, caught.value.retry_after) == (1, timedelta(minutes=1))
    assert len(service.tenant.places([wanted(1)], SEED)) == 1


@pytest.mark.parametrize(("status", "kind"), [(429, MailboxBusyError), (401, MailboxLockedError)])
def test_where_imap_found_nothing_the_tenant_s_own_error_is_told(
    service: Service, wanted: Want, status: int, kind: type[Exception]
) -> None:
    service.set(HUNT, service.json({"error": {}}, status))

    with pytest.raises(kind) as caught:
        CombinedMailbox(FakeImap(), service.tenant, SEED).look([wanted(1)])

    assert type(caught.value) is kind


def test_nothing_is_asked_when_imap_shows_all(service: Service, wanted: Want) -> None:
    seen = Found("<1@brand.example>", "INBOX", Role.INBOX)

    assert CombinedMailbox(FakeImap(seen), service.tenant, SEED).look([wanted(1)]) == [seen]
    assert service.server.requests == []


def test_keys_and_casings_of_the_documentation_s_samples_are_understood(
    service: Service, wanted: Want
) -> None:
    lower = {key.lower(): value for key, value in row().items()}
    service.set(HUNT, service.json({"Schema": [], "Results": [lower]}))

    assert len(service.tenant.places([wanted(1)], SEED)) == 1


def test_the_latest_row_of_several_counts(service: Service, wanted: Want) -> None:
    rows = [
        row("Quarantine", Timestamp="2026-03-02T09:00:00Z"),
        row("Inbox/Folder", Timestamp="2026-03-02T08:00:00Z"),
        row("Junk", Timestamp="2026-03-02T10:00:00Z", RecipientEmailAddress="other@x.example"),
    ]
    service.set(HUNT, service.json({"results": rows}))

    assert [c.role for c in service.tenant.places([wanted(1)], SEED)] == [Role.QUARANTINE]


@pytest.mark.parametrize(
    "results", [[7, None, []], [{}], [row(InternetMessageId=7)], [row(Timestamp=[])]]
)
def test_rows_that_make_no_sense_are_passed_over(
    service: Service, wanted: Want, results: object
) -> None:
    service.set(HUNT, service.json({"results": results}))
    service.set(TRACE, service.json({"value": results}))

    found = service.tenant.places([wanted(1)], SEED)

    assert [c.received_at for c in found] == [None] * len(found)


@pytest.mark.parametrize("results", [None, {}, "x"])
def test_an_answer_without_rows_never_means_missing(
    service: Service, wanted: Want, results: object
) -> None:
    service.set(HUNT, lambda n: service.json({"results": [newest("2026-03-02T09:00:00Z")]}))
    assert service.tenant.freshness() is not None
    service.set(HUNT, service.json({"results": results}))
    service.set(TRACE, service.json({"value": []}))

    with pytest.raises(MailboxBusyError, match="no list"):
        service.tenant.places([wanted(1)], SEED)


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_tenant_that_may_not_be_hunted_is_asked_for_its_trace(
    service: Service, wanted: Want, status: int
) -> None:
    service.set(HUNT, service.json({"error": {"code": "Forbidden"}}, status))
    trace = {
        "messageId": "<1@brand.example>",
        "status": "quarantined",
        "receivedDateTime": "2026-03-02T08:00:01Z",
    }
    strangers = [{**trace, "messageId": "<x@y>"}, {**trace, "status": "delivered"}, 7]
    service.set(TRACE, service.json({"value": [*strangers, trace]}))

    for _ in range(2):
        (copy,) = service.tenant.places([wanted(1)], SEED)
        assert copy.role is Role.QUARANTINE
        assert copy.note == "message trace, as hunting is refused"

    assert service.asked(HUNT) == 1
    assert service.asked(TRACE) == 2


def test_hunting_that_was_refused_is_tried_again_in_the_long_run(
    service: Service, wanted: Want, caplog: pytest.LogCaptureFixture
) -> None:
    """A permission may be granted meanwhile; and one bad answer is no reason to stay blind."""
    caplog.set_level("INFO", "monitor.mailboxes")
    service.set(HUNT, service.json({"error": {"code": "Forbidden"}}, 403))
    service.set(TRACE, service.json({"value": []}))

    for _ in range(HUNT_AGAIN):
        service.tenant.places([wanted(1)], SEED)
    assert service.asked(HUNT) == 1
    service.tenant.places([wanted(1)], SEED)
    assert service.asked(HUNT) == 2
    service.set(HUNT, service.json({"results": [row()]}))
    for _ in range(HUNT_AGAIN + 1):
        found = service.tenant.places([wanted(1)], SEED)

    assert [copy.note for copy in found] == [""]
    assert service.asked(HUNT) == 4
    refused, again = (record.getMessage() for record in caplog.records)
    assert refused.startswith("Tenant acme: hunting refused, so message trace is asked")
    assert "refuses this question (403 Forbidden)" in refused
    assert again == "Tenant acme: hunting is no longer refused"


def test_a_trace_is_asked_in_ranges_and_pages(service: Service, wanted: Want) -> None:
    service.set(HUNT, service.json({}, 403))
    following = {"@odata.nextLink": f"{service.server.url}{TRACE[4:]}?$skiptoken=1"}
    service.set(TRACE, service.json({"value": [], **following}))
    service.set(f"{TRACE}?$skiptoken", service.json({"value": []}))
    late = wanted(2, sent_at=wanted(1).sent_at + timedelta(days=12))

    assert service.tenant.places([wanted(1), late], "o'x@m365.example") == []
    assert service.asked(TRACE) == 4
    assert service.asked(f"{TRACE}?%24filter=recipientAddress+eq+%27o%27%27x%40m365") == 2


@pytest.mark.parametrize("pages", ["without a list", "without an end"])
def test_a_trace_that_is_not_whole_never_means_missing(
    service: Service, wanted: Want, pages: str
) -> None:
    service.set(HUNT, service.json({}, 403))
    following = {"@odata.nextLink": f"{service.server.url}{TRACE[4:]}?$skiptoken=1"}
    told = {} if pages == "without a list" else {"value": [], **following}
    service.set(TRACE, service.json(told))
    service.set(f"{TRACE}?$skiptoken", service.json(told))

    with pytest.raises(MailboxBusyError):
        service.tenant.places([wanted(1)], SEED)


def test_a_real_trace_of_the_lab_is_understood(
    clock: ManualClock, wanted: Want, letter: Write
) -> None:
    with start_lab(QUARANTINE, clock) as lab:
        send(lab, letter(1))
        tenant = tenant_of(lab)
        tenant._until_hunt = HUNT_AGAIN

        assert [c.role for c in tenant.places([wanted(1)], SEED)] == [Role.QUARANTINE]


def test_a_tenant_that_refuses_everything_needs_a_person(service: Service, wanted: Want) -> None:
    service.set(HUNT, service.json({"error": {"code": "Forbidden<b>"}}, 403))
    service.set(TRACE, service.json({"error": {"code": "Forbidden<b>"}}, 403))

    with pytest.raises(MailboxLockedError) as caught:
        service.tenant.places([wanted(1)], SEED)

    assert caught.value.what == "Microsoft Graph refuses this question (403 Forbiddenb)."
    assert "docs/reading.md" in caught.value.remedy


def test_a_token_that_is_never_believed_needs_a_person(service: Service, wanted: Want) -> None:
    service.set(HUNT, service.json({"error": {"code": "InvalidAuthenticationToken"}}, 401))

    with pytest.raises(MailboxLockedError, match="does not know us"):
        service.tenant.places([wanted(1)], SEED)
    assert (service.asked(HUNT), service.asked(TOKEN)) == (2, 2)


@pytest.mark.parametrize(
    "answer_",
    [
        {"status": 500},
        {"status": 302, "Location": "/x"},
        {"status": 200, "body": "<html>"},
        {"status": 200, "body": "[]"},
        {"status": 200, "body": "{}"},
        {"status": 200, "body": "[" * 100_000},
        {"status": 200, "body": " " * 17_000_000},
    ],
    ids=["500", "redirect", "html", "list", "empty", "deep", "long"],
)
def test_an_answer_that_affirms_nothing_means_later(
    service: Service, wanted: Want, answer_: dict[str, Any]
) -> None:
    service.set(HUNT, service.answer(**{"Content_Type": "application/json", **answer_}))

    with pytest.raises(MailboxBusyError):
        service.tenant.places([wanted(1)], SEED)


@pytest.mark.parametrize("key", [TOKEN, HUNT])
def test_an_answer_that_breaks_off_means_later(
    web: Web, answer: Answer, broken: Callable[[Any, str], None], wanted: Want, key: str
) -> None:
    service = Service(web, answer, timeout_s=0.5)
    broken(service.server, key)

    with pytest.raises(MailboxBusyError, match=r"cannot be reached|too slow"):
        service.tenant.places([wanted(1)], SEED)


@pytest.mark.parametrize(
    "life", [3599, "3599", pytest.param(10**400, id="vast"), 1e300, True, "²", "soon", None, [], -5]
)
def test_a_token_of_any_life_is_used(service: Service, wanted: Want, life: object) -> None:
    service.set(TOKEN, service.json({"access_token": "t0ken", "expires_in": life}))
    service.set(HUNT, service.json({"results": [row()]}))

    assert len(service.tenant.places([wanted(1)], SEED)) == 1


@pytest.mark.parametrize("token", [{}, {"access_token": 7}, {"access_token": "a\r\nb"}])
def test_a_sign_in_without_a_token_means_later(
    service: Service, wanted: Want, token: dict[str, object]
) -> None:
    service.set(TOKEN, service.json(token))

    with pytest.raises(MailboxBusyError, match="without a token"):
        service.tenant.places([wanted(1)], SEED)


@pytest.mark.parametrize("next_link", ["{thief}/steal", "http://[", "", "ftp://x"])
def test_the_token_goes_to_no_other_server(
    service: Service, web: Web, wanted: Want, next_link: str
) -> None:
    thief = web({"GET": b""})
    service.set(HUNT, service.json({}, 403))
    following = next_link.format(thief=thief.url)
    service.set(TRACE, service.json({"value": [], "@odata.nextLink": following}))

    with pytest.raises(MailboxBusyError, match="points to another server"):
        service.tenant.places([wanted(1)], SEED)
    assert thief.requests == []


def test_a_service_that_is_not_there_means_later(service: Service, wanted: Want) -> None:
    service.server.stop()

    with pytest.raises(MailboxBusyError, match="cannot be reached"):
        service.tenant.places([wanted(1)], SEED)


def test_many_copies_are_asked_for_in_batches(service: Service, wanted: Want) -> None:
    service.set(HUNT, service.json({"results": [{"Newest": "2026-03-02T09:00:00Z"}]}))

    service.tenant.places([wanted(number) for number in range(250)], SEED)

    assert service.asked(HUNT) == 3 + 1  # the last one asks how fresh the log is


def test_a_message_id_cannot_change_the_query() -> None:
    query = placement_query(['<a") | where 1 == 1 //\n\\>'])

    assert query.startswith(
        "union EmailEvents, EmailPostDeliveryEvents | where InternetMessageId in "
        '("<a\\") | where 1 == 1 //\\\\>") | project '
    )


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"Retry-After": "120"}, timedelta(seconds=120)),
        ({"Retry-After": "99999999"}, timedelta(days=1)),
        (
            {
                "Retry-After": "Mon, 02 Mar 2026 08:01:00 GMT",
                "Date": "Mon, 02 Mar 2026 08:00:00 GMT",
            },
            timedelta(minutes=1),
        ),
        ({"Retry-After": "Mon, 02 Mar 2026 08:01:00 GMT"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
def test_a_wish_to_wait_is_read(headers: dict[str, str], expected: timedelta | None) -> None:
    assert retry_after(headers) == expected


@pytest.mark.parametrize(
    ("reader", "tenant", "kind"),
    [
        ("", "", ImapMailbox),
        ("imap", "acme", ImapMailbox),
        ("", "acme", CombinedMailbox),
        ("imap+graph", "acme", CombinedMailbox),
    ],
)
def test_a_reader_is_opened_by_its_name(
    service: Service, reader: str, tenant: str, kind: type
) -> None:
    account = Account(
        SEED,
        "microsoft365",
        Endpoint("127.0.0.1", 1, Security.PLAIN),
        SEED,
        tenant=tenant,
        reader=reader,
    )

    opened = open_mailbox(account, None, ReaderParts(tenants={"acme": service.tenant}, timeout_s=1))

    assert type(opened) is kind


@pytest.mark.parametrize(
    ("reader", "tenant", "complaint"),
    [
        ("imapp", "", "reader: 'imapp' is not known. Did you mean 'imap'?"),
        (
            "imap+graph",
            "nobody",
            "tenant: 'nobody' is not configured. Add [tenants.nobody] to the configuration.",
        ),
        (
            "imap+graph",
            "",
            "tenant: '' is not configured. Add [tenants.NAME] to the configuration.",
        ),
    ],
)
def test_a_reader_or_tenant_that_is_not_there_is_named(
    reader: str, tenant: str, complaint: str
) -> None:
    endpoint = Endpoint("127.0.0.1", 1, Security.PLAIN)
    account = Account(SEED, "x", endpoint, SEED, tenant=tenant, reader=reader)

    with pytest.raises(BadInputError) as caught:
        open_mailbox(account, None, ReaderParts(timeout_s=1))

    assert str(caught.value) == complaint


def newest(at: str) -> dict[str, object]:
    """The answer to how fresh the log is."""
    return {"Newest": at}


def test_a_copy_that_the_log_does_not_show_yet_is_unknown(service: Service, wanted: Want) -> None:
    """Hunting lags by half an hour and more: what it does not know yet is not missing."""
    rows = [row(), newest("2026-03-02T07:30:00Z")]
    service.set(HUNT, service.json({"results": rows}))
    service.set(TRACE, service.json({"value": []}))
    mailbox = CombinedMailbox(FakeImap(), service.tenant, SEED)

    with pytest.raises(PartlyReadError) as caught:
        mailbox.look([wanted(1), wanted(2)])

    assert [one.message_id for one in caught.value.partial] == ["<1@brand.example>"]
    assert caught.value.what == (
        "Microsoft's log of mail is late: its newest entry is of 2026-03-02 07:30 UTC."
    )
    assert service.tenant.newest_event == datetime(2026, 3, 2, 7, 30, tzinfo=UTC)


@pytest.mark.parametrize("trace", [403, 429])
def test_what_a_late_log_knows_is_kept_whatever_message_trace_says(
    service: Service, wanted: Want, trace: int
) -> None:
    service.set(HUNT, service.json({"results": [row(), newest("2026-03-02T07:30:00Z")]}))
    service.set(TRACE, service.json({"error": {"code": "Forbidden"}}, trace))

    with pytest.raises(PartlyReadError) as caught:
        service.tenant.places([wanted(1), wanted(2)], SEED)

    assert [one.role for one in caught.value.partial] == [Role.QUARANTINE]


def test_message_trace_speaks_where_hunting_is_late(service: Service, wanted: Want) -> None:
    service.set(HUNT, service.json({"results": [newest("2026-03-02T07:30:00Z")]}))
    trace = {"messageId": "<1@brand.example>", "status": "quarantined"}
    service.set(TRACE, service.json({"value": [trace]}))

    with pytest.raises(PartlyReadError) as caught:
        service.tenant.places([wanted(1), wanted(2)], SEED)

    assert [one.note for one in caught.value.partial] == ["message trace, as hunting is late"]


def test_a_copy_that_a_fresh_log_does_not_know_is_nowhere(service: Service, wanted: Want) -> None:
    service.set(HUNT, service.json({"results": [newest("2026-03-02T08:10:00Z")]}))

    assert service.tenant.places([wanted(1)], SEED) == []
    assert service.tenant.places([wanted(2)], SEED) == []
    assert service.asked(HUNT) == 3  # how fresh it is was asked once


def test_a_dropped_copy_is_known_to_the_log_though_it_is_nowhere(
    service: Service, wanted: Want
) -> None:
    service.set(HUNT, service.json({"results": [row("Dropped")]}))

    assert service.tenant.places([wanted(1)], SEED) == []
    assert service.asked(HUNT) == 1


def test_a_copy_that_was_there_before_does_not_wait_for_the_log(
    service: Service, wanted: Want
) -> None:
    service.set(HUNT, service.json({"results": []}))

    assert service.tenant.places([wanted(1, was_found=True)], SEED) == []
    assert service.asked(HUNT) == 1


def test_the_lab_s_late_log_makes_copies_unknown_and_then_known(
    clock: ManualClock, facts: dict[str, ProviderFacts], wanted: Want, letter: Write
) -> None:
    late = '[[rule]]\naction = "api_late"\nfrom = "1h"\nuntil = "3h"\ndelay = "1h"\n'
    with start_lab(QUARANTINE + late, clock) as lab:
        send(lab, letter(1))
        clock.sleep(timedelta(minutes=70))
        send(lab, letter(2))
        mailbox = combined(lab, facts)
        both = [wanted(1), wanted(2, sent_at=clock.now())]

        with pytest.raises(PartlyReadError, match=r"newest entry is of 2026-03-02 08:00") as caught:
            mailbox.look(both)
        # What message trace knew lags behind as well.
        assert [one.message_id for one in caught.value.partial] == ["<1@brand.example>"]
        clock.sleep(timedelta(hours=2))
        assert len(mailbox.look(both)) == 2
        mailbox.close()


def test_what_was_done_after_delivery_is_told_with_its_time(
    clock: ManualClock, facts: dict[str, ProviderFacts], wanted: Want, letter: Write
) -> None:
    with start_lab(ZAP, clock) as lab:
        send(lab, letter(1))
        mailbox = combined(lab, facts)
        clock.sleep(timedelta(hours=1))

        (copy,) = mailbox.look([wanted(1)])

        assert copy.role is Role.QUARANTINE
        assert copy.note == "Phish ZAP at 2026-03-02 08:30 UTC; Phish: URL malicious reputation"
        mailbox.close()


ZAPPED = {"ActionType": "Phish ZAP", "ActionTrigger": "ZAP", "DeliveryLocation": "Quarantine"}


@pytest.mark.parametrize(
    ("event", "role", "note"),
    [
        ({"ActionResult": "Success"}, Role.QUARANTINE, "Phish ZAP at 2026-03-02 09:00 UTC"),
        ({}, Role.QUARANTINE, "Phish ZAP at 2026-03-02 09:00 UTC"),
        ({"ActionResult": "Error"}, Role.INBOX, ""),
        (
            {"ActionType": "Manual remediation", "ActionTrigger": "AdminAction"},
            Role.QUARANTINE,
            "Manual remediation (AdminAction) at 2026-03-02 09:00 UTC",
        ),
        ({"DeliveryLocation": "Elsewhere"}, Role.INBOX, ""),
        ({"DeliveryLocation": "Junk folder"}, Role.SPAM, "Phish ZAP at 2026-03-02 09:00 UTC"),
    ],
)
def test_what_was_done_counts_if_it_was_done(
    service: Service, wanted: Want, event: dict[str, object], role: Role, note: str
) -> None:
    """The place that EmailEvents names may follow later than the event itself."""
    done = {**row(""), **ZAPPED, "Timestamp": "2026-03-02T09:00:00Z", **event}
    service.set(HUNT, service.json({"results": [row("Inbox/Folder"), done]}))

    (copy,) = service.tenant.places([wanted(1)], SEED)

    assert (copy.role, copy.note) == (role, note)


def test_clicks_and_links_are_told_by_the_copy_that_they_are_of(
    service: Service, wanted: Want
) -> None:
    click = {
        "NetworkMessageId": "n1",
        "Url": "https://lnkd.in/x",
        "ActionType": "ClickBlocked",
        "AccountUpn": "seed@m365.lab.example",
        "Workload": "Email",
        "ThreatTypes": "Phish",
        "IsClickedThrough": False,
        "Timestamp": "2026-03-02T09:00:00Z",
        "UrlDomain": "lnkd.in",
        "UrlLocation": "Body",
    }
    strange = {**click, "NetworkMessageId": "n2"}
    rows = [row(NetworkMessageId="n1"), click, strange, {**click, "IsClickedThrough": 1}]
    service.set(HUNT, service.json({"results": rows}))

    blocked, through = service.tenant.clicks([wanted(1)], SEED)[-2:]
    link = service.tenant.links([wanted(1)], SEED)[-1]

    assert (blocked.message_id, blocked.action) == ("<1@brand.example>", "ClickBlocked")
    assert (blocked.is_through, through.is_through) == (False, True)
    assert (link.domain, link.location) == ("lnkd.in", "Body")


def test_a_copy_that_was_pulled_back_tells_of_its_links_and_clicks(
    service: Service, wanted: Want
) -> None:
    click = {"NetworkMessageId": "n1", "UrlDomain": "lnkd.in", "IsClickedThrough": False}
    done = {**row(), **ZAPPED, "Timestamp": "2026-03-02T09:00:00Z", "NetworkMessageId": "n1"}
    service.set(HUNT, service.json({"results": [done, click, {**click, "IsClickedThrough": "1"}]}))

    (copy,) = service.tenant.places([wanted(1)], SEED)

    # The answer to every table is the same here, so the copy's own row counts as a click too.
    assert copy.note == ("Phish ZAP at 2026-03-02 09:00 UTC; links to lnkd.in; 3 clicks, 2 blocked")


def test_how_fresh_the_log_is_can_be_asked(service: Service) -> None:
    service.set(HUNT, service.json({"results": [newest("2026-03-02T07:30:00Z")]}))

    for _ in range(2):
        assert service.tenant.freshness() == datetime(2026, 3, 2, 7, 30, tzinfo=UTC)
    assert service.asked(HUNT) == 1
    service.clock.sleep(timedelta(minutes=1))
    service.tenant.freshness()
    assert service.asked(HUNT) == 2


def test_the_lab_knows_the_tables_of_clicks_and_links(
    clock: ManualClock, wanted: Want, letter: Write
) -> None:
    with start_lab(QUARANTINE, clock) as lab:
        send(lab, letter(1))
        tenant = tenant_of(lab)

        assert tenant.clicks([wanted(1)], SEED) == tenant.links([wanted(1)], SEED) == []


@pytest.mark.parametrize("is_late", [False, True])
def test_a_mailbox_that_was_partly_read_is_completed_by_the_tenant(
    service: Service, wanted: Want, is_late: bool
) -> None:
    service.set(HUNT, service.json({"results": [row(), newest("2026-03-02T07:00:00Z")]}))
    service.set(TRACE, service.json({"value": []}))
    seen = Found("<2@brand.example>", "INBOX", Role.INBOX)

    class Partly(FakeImap):
        def look(self, wanted: Sequence[Wanted]) -> list[Found]:
            raise PartlyReadError("one folder is locked.", partial=[seen])

    asked = [wanted(1), wanted(2), *([wanted(3)] if is_late else [])]
    with pytest.raises(PartlyReadError, match="one folder is locked") as caught:
        CombinedMailbox(Partly(), service.tenant, SEED).look(asked)

    assert [one.role for one in caught.value.partial] == [Role.INBOX, Role.QUARANTINE]
