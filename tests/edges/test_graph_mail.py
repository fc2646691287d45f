"""Reading a Microsoft 365 mailbox through Graph: in the lab, and where the service says no."""

import json
import smtplib
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from monitor.bounded_http import Service
from monitor.core.campaigns import Found, Match, Role, Wanted
from monitor.core.clock import ManualClock
from monitor.core.errors import BadInputError, MailboxBusyError, MailboxLockedError
from monitor.core.folders import HasFolders
from monitor.core.ports import Mailbox, PartlyReadError
from monitor.core.seeds import Account
from monitor.lab.lab import Lab
from monitor.lab.scenario import load_scenario
from monitor.mailboxes.graph import GraphTenant
from monitor.mailboxes.graph_mail import GraphMailbox
from monitor.mailboxes.http_mail import MailService
from monitor.mailboxes.kinds import ReaderParts, open_mailbox
from monitor.tenant import TenantAccess

Want = Callable[..., Wanted]
Write = Callable[..., bytes]
SEED = "seed@m365.lab.example"
QUARANTINE = '[[rule]]\naction = "quarantine"\nprovider = "microsoft365"\n'
ZAP = '[[rule]]\naction = "zap"\nprovider = "microsoft365"\ndelay = "30m"\n'
SPAM = '[[rule]]\naction = "spam"\nprovider = "microsoft365"\n'
DUPLICATE = '[[rule]]\naction = "duplicate"\nprovider = "microsoft365"\n'


@pytest.fixture
def lab_of(clock: ManualClock) -> Iterator[Callable[[str], Lab]]:
    """Start a lab with these rules and our seed; it ends with the test."""
    labs: list[Lab] = []

    def start(rules: str = "") -> Lab:
        lab = Lab(load_scenario(rules, name="test"), clock=clock, seed=1)
        labs.append(lab.__enter__())
        lab.add_mailbox(SEED, "pw")
        return lab

    yield start
    for lab in labs:
        lab.__exit__(None, None, None)


def opened(lab: Lab, *, address: str = SEED) -> Mailbox:
    access = TenantAccess(
        tenant=lab.graph_tenant,
        client_id=lab.graph_client_id,
        client_secret=lab.graph_client_secret,
        base_url=lab.api_url,
        login_url=lab.api_url,
    )
    account = Account(address, "microsoft365", None, address, tenant="acme", reader="graph")
    parts = ReaderParts(timeout_s=5, tenants={"acme": GraphTenant(access)})
    return open_mailbox(account, None, parts)


def send(lab: Lab, raw: bytes) -> None:
    route = lab.smtp_route("m365.lab.example")
    with smtplib.SMTP(route.host, route.port) as smtp:
        smtp.sendmail("bounce@brand.example", SEED, raw)


def move(lab: Lab, name: str) -> None:
    """Put the newest message of the inbox into another folder, as its owner would."""
    folders = lab._world.mailboxes[SEED].folders
    entry = folders["INBOX"].entries[-1]
    folders["INBOX"].remove([entry])
    folders[name].add(entry.message, entry.date)


def test_a_copy_is_found_with_folder_headers_and_time(
    lab_of: Callable[[str], Lab], clock: ManualClock, wanted: Want, letter: Write
) -> None:
    lab = lab_of("")
    send(lab, letter(1))
    mailbox = opened(lab)

    (copy,) = mailbox.look([wanted(1)])

    assert (copy.role, copy.folder, copy.match) == (Role.INBOX, "INBOX", Match.MESSAGE_ID)
    assert copy.received_at == clock.now()
    assert b"X-Forefront-Antispam-Report: " in copy.headers
    assert (mailbox.read("<1@brand.example>", limit=9_000) or b"").endswith(b"\r\n\r\nbody\r\n")
    assert mailbox.read("<1@brand.example>", limit=10) == b"Return-Pat"
    assert mailbox.read("<9@brand.example>", limit=10) is None


@pytest.mark.parametrize(
    ("rules", "folder", "role"),
    [
        (SPAM, "", Role.SPAM),
        ("", "Deleted Items", Role.TRASH),
        ("", "Archive", Role.OTHER),
        (QUARANTINE, "", Role.QUARANTINE),
        ("", "Sent Items", None),
    ],
)
def test_a_copy_counts_where_it_lies(
    lab_of: Callable[[str], Lab],
    wanted: Want,
    letter: Write,
    rules: str,
    folder: str,
    role: Role | None,
) -> None:
    lab = lab_of(rules)
    send(lab, letter(1))
    if folder:
        move(lab, folder)

    found = opened(lab).look([wanted(1)])

    assert [one.role for one in found] == ([role] if role else [])


def test_a_copy_that_is_pulled_back_is_found_in_quarantine(
    lab_of: Callable[[str], Lab], clock: ManualClock, wanted: Want, letter: Write
) -> None:
    lab = lab_of(ZAP)
    send(lab, letter(1))
    mailbox = opened(lab)
    before = mailbox.look([wanted(1)])
    clock.sleep(timedelta(hours=1))

    (after,) = mailbox.look([wanted(1, was_found=True)])

    assert [one.role for one in before] == [Role.INBOX]
    assert (after.role, after.note[:9]) == (Role.QUARANTINE, "Phish ZAP")


def test_a_copy_with_another_message_id_is_known_by_its_header_even_after_a_move(
    lab_of: Callable[[str], Lab], wanted: Want, letter: Write
) -> None:
    lab = lab_of("")
    send(lab, letter(1).replace(b"<1@brand.example>", b"<other@gateway.example>"))
    for number in range(2, 5):
        send(lab, letter(number))
    mailbox = opened(lab)

    (before,) = mailbox.look([wanted(1)])
    mailbox_folders = lab._world.mailboxes[SEED].folders
    first = mailbox_folders["INBOX"].entries[0]
    mailbox_folders["INBOX"].remove([first])
    mailbox_folders["Deleted Items"].add(first.message, first.date)
    (after,) = mailbox.look([wanted(1, was_found=True)])

    assert (before.match, before.role) == (Match.HEADER, Role.INBOX)
    assert (after.match, after.role) == (Match.HEADER, Role.TRASH)
    assert mailbox.read("<1@brand.example>", limit=5_000) is not None


def test_further_messages_that_are_the_same_copy_are_counted(
    lab_of: Callable[[str], Lab], wanted: Want, letter: Write
) -> None:
    lab = lab_of(DUPLICATE)
    send(lab, letter(1))

    (copy,) = opened(lab).look([wanted(1)])

    assert (copy.role, copy.duplicates) == (Role.INBOX, 1)


def test_thirty_copies_are_found_in_batches_of_twenty(
    lab_of: Callable[[str], Lab], wanted: Want, letter: Write
) -> None:
    lab = lab_of("")
    for number in range(30):
        send(lab, letter(number))

    assert len(opened(lab).look([wanted(number) for number in range(30)])) == 30


def test_folders_are_told_with_how_we_know(lab_of: Callable[[str], Lab]) -> None:
    mailbox = opened(lab_of(""))
    assert isinstance(mailbox, HasFolders)

    told = {sight.name: (sight.role, sight.why) for sight in mailbox.layout()}

    assert told["Junk Email"] == (Role.SPAM, "Microsoft knows it as junkemail")
    assert told["Sent Items"] == (None, "Microsoft knows it as sentitems")
    assert told["Quarantine"] == (Role.QUARANTINE, "the tenant's own logs tell of it")


def test_looking_leaves_no_trace(lab_of: Callable[[str], Lab], wanted: Want, letter: Write) -> None:
    lab = lab_of("")
    send(lab, letter(1))
    mailbox = opened(lab)

    mailbox.look([wanted(1), wanted(2)])
    mailbox.read("<1@brand.example>", limit=9_000)

    assert [e.flags for e in lab._world.mailboxes[SEED].folders["INBOX"].entries] == [frozenset()]


def test_a_mailbox_that_is_gone_needs_a_person(lab_of: Callable[[str], Lab], wanted: Want) -> None:
    lab = lab_of("")

    with pytest.raises(MailboxLockedError, match="404 ErrorInvalidUser") as caught:
        opened(lab, address="nobody@m365.lab.example").look([wanted(1)])
    assert "Mail.Read" in caught.value.remedy


def test_a_busy_service_says_when_to_come_again(lab_of: Callable[[str], Lab], wanted: Want) -> None:
    lab = lab_of('[[rule]]\naction = "api_busy"\nprovider = "microsoft365"\ndelay = "90s"\n')

    with pytest.raises(MailboxBusyError) as caught:
        opened(lab).look([wanted(1)])
    assert caught.value.retry_after == timedelta(seconds=90)


def test_a_reader_without_tenant_or_grant_is_not_opened() -> None:
    account = Account(SEED, "microsoft365", None, SEED, reader="graph")

    with pytest.raises(BadInputError, match="tenant"):
        open_mailbox(account, None, ReaderParts(timeout_s=1))


class Tokens:
    """Gives t1, t2, ..., one more each time the last one is refused."""

    def __init__(self) -> None:
        self.number = 1

    def token(self) -> str:
        return f"t{self.number}"

    def reject(self, token: str) -> None:
        self.number += token == self.token()


Web = Callable[..., Any]
Answer = Callable[..., bytes]
BATCH = "POST /v1.0/$batch"
ME = "GET /v1.0/me/mailFolders"
HEADERS = [{"name": "Message-ID", "value": "<1@brand.example>"}]
MESSAGE = {
    "id": "m1",
    "internetMessageId": "<1@brand.example>",
    "parentFolderId": "f-inbox",
    "receivedDateTime": "2026-03-02T08:00:05Z",
    "inferenceClassification": "focused",
    "internetMessageHeaders": HEADERS,
}
NAMES = (
    "inbox",
    "junkemail",
    "deleteditems",
    "archive",
    "recoverableitemsdeletions",
    "drafts",
    "sentitems",
    "outbox",
)


class Delegated:
    """A mailbox's owner has let us in, and the service answers as told.

    `batches` are the answers to the batches of a look, in turn: first those of its folders,
    then of the search, then of the search among what was deleted for good.
    """

    def __init__(self, web: Web, answer: Answer, *, timeout_s: float = 5) -> None:
        self._answer = answer
        self.batches: list[object] = [self.folders(), [{"value": [MESSAGE]}], [{"value": []}]]
        self.at = 0
        self.server = web({BATCH: self._batch, ME: self.json({"value": []})})
        self.tokens = Tokens()
        mail = MailService(Service("Microsoft Graph", timeout_s), self.tokens, "Do something.")
        self.mailbox = GraphMailbox(mail, base_url=self.server.url)

    def folders(self, **changes: tuple[int, str]) -> list[object]:
        """The answers for the well-known folders; *changes* are errors."""
        named = [(name, {"id": f"f-{name}", "displayName": name.title()}) for name in NAMES]
        return [changes.get(name, body) for name, body in named]

    def json(self, value: object, status: int = 200, **headers: str) -> bytes:
        return self._answer(status, json.dumps(value), Content_Type="application/json", **headers)

    def _batch(self, _: int) -> bytes:
        told = self.batches[min(self.at, len(self.batches) - 1)]
        self.at += 1
        if isinstance(told, bytes):
            return told
        return self.json({"responses": [part(n, one) for n, one in enumerate(told)][::-1]})


def part(number: int, told: Any) -> dict[str, object]:
    """One answer of a batch: a body, or (status, error code)."""
    status, body = (200, told)
    if isinstance(told, tuple):
        status, body = told[0], {"error": {"code": told[1]}}
    headers = {"Retry-After": "30"} if status == 429 else {}
    return {"id": str(number), "status": status, "headers": headers, "body": body}


@pytest.fixture
def service(web: Web, answer: Answer) -> Delegated:
    return Delegated(web, answer)


def looked(service: Delegated, *wanted: Wanted) -> list[Found]:
    return service.mailbox.look(wanted)


def test_every_request_only_reads_and_asks_for_lasting_ids(
    service: Delegated, wanted: Want
) -> None:
    assert len(looked(service, wanted(1))) == 1

    requests = [one for body in service.server.bodies for one in json.loads(body)["requests"]]
    assert {one["method"] for one in requests} == {"GET"}
    assert {one["headers"]["Prefer"] for one in requests} == {'IdType="ImmutableId"'}
    assert "internetMessageId%20eq%20'%3C1%40brand.example%3E'" in requests[-1]["url"]
    assert requests[-1]["url"].startswith("/me/messages?$filter=")


def test_the_other_half_of_a_focused_inbox_is_a_tab(service: Delegated, wanted: Want) -> None:
    service.batches[1] = [{"value": [{**MESSAGE, "inferenceClassification": "other"}]}]

    (copy,) = looked(service, wanted(1))

    assert (copy.role, copy.tab) == (Role.TAB, "Other")


def test_mail_from_within_the_tenant_has_no_headers_but_its_id(
    service: Delegated, wanted: Want
) -> None:
    service.batches[1] = [{"value": [{**MESSAGE, "internetMessageHeaders": None}]}]

    assert [one.match for one in looked(service, wanted(1))] == [Match.MESSAGE_ID]


def test_a_header_of_a_megabyte_hides_nothing(service: Delegated, wanted: Want) -> None:
    long = [{"name": "X-Long", "value": "x" * 1_000_000}] * 3
    service.batches[1] = [{"value": [{**MESSAGE, "internetMessageHeaders": long + HEADERS}]}]

    (copy,) = looked(service, wanted(1))

    assert len(copy.headers) < 64 * 1024


def test_what_was_deleted_for_good_counts_as_deleted(service: Delegated, wanted: Want) -> None:
    deleted = {**MESSAGE, "parentFolderId": "f-recoverableitemsdeletions"}
    service.batches[1:] = [[{"value": []}], [{"value": [deleted]}]]

    assert [one.role for one in looked(service, wanted(1, was_found=True))] == [Role.TRASH]


def test_an_account_need_not_have_an_archive_nor_let_us_into_what_was_deleted(
    service: Delegated, wanted: Want
) -> None:
    service.batches[:] = [
        service.folders(
            archive=(404, "ErrorItemNotFound"), recoverableitemsdeletions=(403, "ErrorAccessDenied")
        ),
        [{"value": []}],
        [(403, "ErrorAccessDenied")],
    ]

    assert looked(service, wanted(1)) == []


def test_a_folder_of_the_owner_s_own_has_its_name(service: Delegated, wanted: Want) -> None:
    service.batches[1] = [{"value": [{**MESSAGE, "parentFolderId": "f-x"}]}]
    service.server.answers[f"{ME}/f-x"] = service.json({"id": "f-x", "displayName": "News"})

    for _ in range(2):
        (copy,) = looked(service, wanted(1))
        assert (copy.role, copy.folder) == (Role.OTHER, "News")
        service.at = 1  # its folders are known from now on
    asked = [r for r in service.server.requests if "/f-x" in r]
    assert len(asked) == 1


def test_a_folder_that_vanished_while_we_looked_makes_its_copy_unknown(
    service: Delegated, wanted: Want
) -> None:
    second = {
        **MESSAGE,
        "id": "m2",
        "parentFolderId": "f-x",
        "internetMessageHeaders": [{"name": "Message-ID", "value": "<2@brand.example>"}],
    }
    service.batches[1] = [{"value": [MESSAGE]}, {"value": [second]}]
    gone = service.json({"error": {"code": "ErrorItemNotFound"}}, 404)
    service.server.answers[f"{ME}/f-x"] = gone

    with pytest.raises(PartlyReadError, match="folder vanished") as caught:
        looked(service, wanted(1), wanted(2))
    assert [one.message_id for one in caught.value.partial] == ["<1@brand.example>"]


def test_more_mail_than_is_compared_makes_the_others_unknown(
    service: Delegated, wanted: Want
) -> None:
    service.batches[1] = [{"value": []}]
    again = {"value": [], "@odata.nextLink": f"{service.server.url}/v1.0/me/mailFolders/again"}
    service.server.answers[ME] = service.json(again)

    with pytest.raises(PartlyReadError, match="more mail since"):
        looked(service, wanted(1))


def test_a_page_that_went_away_while_we_looked_never_means_missing(
    service: Delegated, wanted: Want
) -> None:
    service.batches[1] = [{"value": []}]
    following = {"@odata.nextLink": f"{service.server.url}/v1.0/me/mailFolders/second"}
    service.server.answers[ME] = service.json({"value": [], **following})
    gone = service.json({"error": {"code": "ErrorItemNotFound"}}, 404)
    service.server.answers[f"{ME}/second"] = gone

    with pytest.raises(PartlyReadError, match="went away"):
        looked(service, wanted(1))


def test_the_token_goes_to_no_other_server(service: Delegated, web: Web, wanted: Want) -> None:
    thief = web({"GET": b""})
    service.batches[1] = [{"value": []}]
    service.server.answers[ME] = service.json(
        {"value": [], "@odata.nextLink": f"{thief.url}/steal"}
    )

    with pytest.raises(MailboxBusyError, match="another server"):
        looked(service, wanted(1))
    assert thief.requests == []


def test_an_expired_token_is_renewed_once(service: Delegated, wanted: Want) -> None:
    expired = service.json({"error": {"code": "InvalidAuthenticationToken"}}, 401)
    service.batches.insert(0, expired)

    assert len(looked(service, wanted(1))) == 1
    assert service.tokens.number == 2


def test_a_token_that_ends_within_a_batch_is_renewed_once(service: Delegated, wanted: Want) -> None:
    service.batches.insert(1, [(401, "InvalidAuthenticationToken")])

    assert len(looked(service, wanted(1))) == 1
    assert service.tokens.number == 2


@pytest.mark.parametrize(
    ("told", "kind", "words"),
    [
        ((429, "TooManyRequests"), MailboxBusyError, "429 TooManyRequests"),
        ((503, "ServiceUnavailable"), MailboxBusyError, "503"),
        ((401, "InvalidAuthenticationToken"), MailboxLockedError, "does not know us"),
        ((403, "ErrorAccessDenied"), MailboxLockedError, "ErrorAccessDenied"),
        ((404, "MailboxNotEnabledForRESTAPI"), MailboxLockedError, "MailboxNotEnabled"),
        ({}, MailboxBusyError, "no list of value"),
        ("text", MailboxBusyError, "makes no sense"),
    ],
)
@pytest.mark.parametrize("step", [0, 1])
def test_a_part_of_a_batch_that_fails_never_means_missing(
    service: Delegated, wanted: Want, told: object, kind: type[Exception], words: str, step: int
) -> None:
    if told == {} and step == 0:
        return  # a folder without an id is like one that is not there
    service.batches[step:] = [[told, *service.folders()[1:]] if step == 0 else [told]]

    with pytest.raises(kind, match=words):
        looked(service, wanted(1))


def test_a_question_left_unanswered_never_means_missing(service: Delegated, wanted: Want) -> None:
    service.batches[1] = []

    with pytest.raises(MailboxBusyError, match="left 1 of 1 questions unanswered"):
        looked(service, wanted(1))


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ({"status": 500}, MailboxBusyError),
        ({"status": 302, "Location": "/x"}, MailboxBusyError),
        ({"status": 200, "body": "<html>"}, MailboxBusyError),
        ({"status": 200, "body": "<html>", "Content_Type": "text/html"}, MailboxBusyError),
        ({"status": 404, "body": "<html>", "Content_Type": "text/html"}, MailboxBusyError),
        ({"status": 403, "body": "<html>"}, MailboxLockedError),
        ({"status": 200, "body": "[" * 100_000}, MailboxBusyError),
        ({"status": 200, "body": " " * 17_000_000}, MailboxBusyError),
    ],
    ids=["500", "redirect", "half", "html", "proxy", "403", "deep", "long"],
)
def test_an_answer_that_affirms_nothing_never_means_missing(
    service: Delegated, answer: Answer, wanted: Want, told: dict[str, Any], kind: type[Exception]
) -> None:
    service.batches[1] = answer(**{"Content_Type": "application/json", **told})

    with pytest.raises(kind):
        looked(service, wanted(1))


def test_an_answer_that_breaks_off_never_means_missing(
    web: Web, answer: Answer, broken: Callable[[Any, str], None], wanted: Want
) -> None:
    service = Delegated(web, answer, timeout_s=0.3)
    broken(service.server, BATCH)

    with pytest.raises(MailboxBusyError, match=r"cannot be reached|too slow"):
        looked(service, wanted(1))


def test_a_message_that_never_ends_is_read_to_its_limit(service: Delegated, answer: Answer) -> None:
    service.server.answers["GET /v1.0/me/messages?"] = service.json({"value": [{"id": "m1"}]})
    endless = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n" + b"x" * 100_000
    service.server.answers["GET /v1.0/me/messages/m1/$value"] = endless
    service.server.stalls.add("GET /v1.0/me/messages/m1/$value")

    assert service.mailbox.read("<1@brand.example>", limit=1_000) == b"x" * 1_000


def test_a_look_ends_though_each_answer_comes_in_time(service: Delegated, wanted: Want) -> None:
    hours = iter(range(0, 360_000, 3_600))
    slow = replace(service.mailbox._mail, monotonic_s=lambda: float(next(hours)))

    with pytest.raises(MailboxBusyError, match="takes too long"):
        GraphMailbox(slow, base_url=service.server.url).look([wanted(1)])


def test_looking_for_nothing_proves_the_mailbox_each_time(service: Delegated) -> None:
    assert looked(service) == []
    service.batches = [service.folders(inbox=(403, "ErrorAccessDenied"))]

    with pytest.raises(MailboxLockedError):
        looked(service)
