"""Reading through the Gmail API: a strict service of its schema, and where it says no."""

import base64
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from monitor.core.campaigns import Found, Match, Role, Wanted
from monitor.core.clock import ManualClock
from monitor.core.errors import BadInputError, MailboxBusyError, MailboxLockedError
from monitor.core.ports import PartlyReadError
from monitor.core.seeds import Account
from monitor.mailboxes.budget import Budget
from monitor.mailboxes.gmail import GmailMailbox
from monitor.mailboxes.kinds import ReaderParts, open_mailbox
from tests.edges.strict_http import TROUBLE, Asked, FaultError, Reply, StrictService, Tokens

SENT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
CAME = datetime(2026, 3, 2, 8, 0, 5, tzinfo=UTC)
JSON = {"Content-Type": "application/json"}
MESSAGES = "/gmail/v1/users/me/messages"


def wanted(number: int = 1, **more: Any) -> Wanted:
    return Wanted(f"<{number}@brand.example>", f"tok{number}", SENT, **more)


class Letter:
    """One stored message."""

    def __init__(self, number: int, *labels: str, message_id: str = "", token: str = "") -> None:
        self.labels = list(labels)
        self.message_id = message_id or f"<{number}@brand.example>"
        self.headers = [
            ("Delivered-To", "seed@gmail.example"),
            ("Message-ID", self.message_id),
            ("X-Seedwatch-Test", token or f"tok{number}"),
        ]
        head = "".join(f"{name}: {value}\r\n" for name, value in self.headers)
        self.raw = head.encode() + b"\r\nbody\r\n"


class Gmail:
    """users.getProfile, users.messages.list and .get, as the discovery document has them."""

    def __init__(self) -> None:
        self.letters: dict[str, Letter] = {}
        self.good_token = "t1"
        self.scope = "gmail.readonly"
        self.page = 500
        self.service = StrictService(self._answer)
        self.tokens = Tokens()
        self.mailbox = GmailMailbox(self.tokens, timeout_s=5, base_url=self.service.url)

    def look(self, *wanted: Wanted) -> list[Found]:
        try:
            return self.mailbox.look(wanted)
        finally:
            assert self.service.mistakes == []

    def _answer(self, asked: Asked) -> Reply:
        assert asked.method == "GET"
        if asked.headers.get("authorization") != f"Bearer {self.good_token}":
            raise fault(401, "UNAUTHENTICATED", "authError")
        if asked.path == "/gmail/v1/users/me/profile":
            return Reply({"emailAddress": "seed@gmail.example", "historyId": "1"})
        if asked.path == MESSAGES:
            return self._list(asked)
        if asked.path == "/gmail/v1/users/me/labels":
            names = ("INBOX", "CATEGORY_SOCIAL", "UNREAD")
            labels = [{"id": name, "name": name, "type": "system"} for name in names]
            return Reply({"labels": [*labels, {"id": "Label_1", "name": "News", "type": "user"}]})
        key = asked.path.removeprefix(f"{MESSAGES}/")
        if key not in self.letters:
            raise fault(404, "NOT_FOUND", "notFound")
        return self._get(key, asked)

    def _list(self, asked: Asked) -> Reply:
        assert set(asked.query) <= {"q", "includeSpamTrash", "maxResults", "pageToken"}
        assert asked.query["includeSpamTrash"] == "true"
        assert 1 <= int(asked.query["maxResults"]) <= 500
        if self.scope == "gmail.metadata":
            raise fault(403, "PERMISSION_DENIED", "forbidden")
        found = list(self._found(asked.query["q"]))
        start = int(asked.query.get("pageToken", "0"))
        size = min(self.page, int(asked.query["maxResults"]))
        rows = [{"id": key, "threadId": key} for key in found[start : start + size]]
        body: dict[str, object] = {"resultSizeEstimate": len(found)}
        if rows:
            body["messages"] = rows
        if start + size < len(found):
            body["nextPageToken"] = str(start + size)
        return Reply(body)

    def _found(self, query: str) -> Iterator[str]:
        if query.startswith("after:"):
            assert int(query.removeprefix("after:")) == int(SENT.timestamp()) - 3600
            yield from self.letters
            return
        assert query[0] + query[-1] == "{}"
        words = query[1:-1].split(" ")
        assert all(word.startswith("rfc822msgid:") for word in words)
        ids = {f"<{word.removeprefix('rfc822msgid:')}>" for word in words}
        yield from (key for key, one in self.letters.items() if one.message_id in ids)

    def _get(self, key: str, asked: Asked) -> Reply:
        letter = self.letters[key]
        if asked.query == {"format": "raw", "fields": "raw"}:
            return Reply({"raw": base64.urlsafe_b64encode(letter.raw).decode()})
        assert asked.query == {"format": "metadata"}
        body: dict[str, object] = {
            "id": key,
            "threadId": key,
            "snippet": "body",
            "internalDate": str(int(CAME.timestamp() * 1000)),
            "payload": {"headers": [{"name": n, "value": v} for n, v in letter.headers]},
        }
        return Reply(body | ({"labelIds": letter.labels} if letter.labels else {}))


def fault(status: int, word: str, reason: str, **headers: str) -> FaultError:
    """An error in the shape of "Resolve errors"."""
    error = {"code": status, "status": word, "message": "no", "errors": [{"reason": reason}]}
    return FaultError(status, {"error": error}, **headers)


@pytest.fixture
def gmail() -> Iterator[Gmail]:
    service = Gmail()
    yield service
    service.service.stop()


@pytest.mark.parametrize(
    ("labels", "role", "tab", "folder"),
    [
        (("INBOX", "UNREAD"), Role.INBOX, "", "INBOX"),
        (("INBOX", "CATEGORY_PERSONAL"), Role.INBOX, "", "INBOX"),
        (("INBOX", "CATEGORY_PROMOTIONS"), Role.TAB, "promotions", "INBOX"),
        (("INBOX", "CATEGORY_SOCIAL"), Role.TAB, "social", "INBOX"),
        (("INBOX", "CATEGORY_UPDATES"), Role.TAB, "updates", "INBOX"),
        (("INBOX", "CATEGORY_FORUMS"), Role.TAB, "forums", "INBOX"),
        (("SPAM", "CATEGORY_PROMOTIONS"), Role.SPAM, "", "SPAM"),
        (("TRASH", "SPAM"), Role.TRASH, "", "TRASH"),
        ((), Role.OTHER, "", "All Mail"),
        (("Label_1", "CATEGORY_UPDATES"), Role.OTHER, "", "All Mail"),
        (("SENT", "INBOX"), Role.INBOX, "", "INBOX"),
    ],
)
def test_labels_tell_the_place(
    gmail: Gmail, labels: tuple[str, ...], role: Role, tab: str, folder: str
) -> None:
    gmail.letters["a"] = Letter(1, *labels)

    (copy,) = gmail.look(wanted(1))

    assert (copy.role, copy.tab, copy.folder) == (role, tab, folder)
    assert (copy.received_at, copy.match) == (CAME, Match.MESSAGE_ID)
    assert b"X-Seedwatch-Test: tok1\r\n" in copy.headers


@pytest.mark.parametrize("labels", [("SENT",), ("DRAFT",)])
def test_what_the_owner_wrote_is_no_copy(gmail: Gmail, labels: tuple[str, ...]) -> None:
    gmail.letters["a"] = Letter(1, *labels)

    assert gmail.look(wanted(1)) == []


def test_many_copies_are_found_in_pages_of_few_searches(gmail: Gmail) -> None:
    gmail.letters = {f"k{n}": Letter(n, "INBOX") for n in range(30)}
    gmail.page = 7

    assert len(gmail.look(*(wanted(n) for n in range(30)))) == 30
    assert sum(asked.path == MESSAGES for asked in gmail.service.asked) == 3 + 2


def test_a_copy_with_another_message_id_is_known_by_its_header(gmail: Gmail) -> None:
    gmail.letters = {f"k{n}": Letter(n, "INBOX") for n in range(2, 5)}
    gmail.letters["a"] = Letter(1, "SPAM", message_id="<other@gateway.example>")

    (copy,) = gmail.look(wanted(1))
    gmail.letters["a"].labels = ["TRASH"]
    gmail.service.asked.clear()
    (moved,) = gmail.look(wanted(1, was_found=True))

    assert (copy.role, copy.match, moved.role) == (Role.SPAM, Match.HEADER, Role.TRASH)
    assert len(gmail.service.asked) == 2  # the message itself, and one search
    assert (gmail.mailbox.read("<1@brand.example>", limit=10) or b"") == b"Delivered-"


def test_messages_that_are_no_copies_are_compared_once(gmail: Gmail) -> None:
    gmail.letters = {f"k{n}": Letter(n, "INBOX") for n in range(2, 12)}
    assert gmail.look(wanted(1)) == []
    gmail.service.asked.clear()

    assert gmail.look(wanted(1)) == []

    assert len(gmail.service.asked) == 2


def test_a_message_that_was_no_copy_of_one_test_may_be_that_of_another(gmail: Gmail) -> None:
    gmail.letters = {"a": Letter(2, "SPAM", message_id="<other@gateway.example>")}
    assert gmail.look(wanted(1)) == []  # that of the second test was not due yet

    (copy,) = gmail.look(wanted(2))

    assert (copy.role, copy.match) == (Role.SPAM, Match.HEADER)


def test_more_mail_than_is_compared_makes_the_others_unknown(gmail: Gmail) -> None:
    gmail.letters = {f"k{n}": Letter(n, "INBOX") for n in range(2, 14)}
    gmail.page = 1

    with pytest.raises(PartlyReadError, match="more mail since") as caught:
        gmail.look(wanted(1), wanted(2))
    assert [one.message_id for one in caught.value.partial] == ["<2@brand.example>"]


def test_what_was_found_is_known_though_comparing_the_rest_fails(gmail: Gmail) -> None:
    gmail.letters = {"a": Letter(1, "INBOX"), "b": Letter(3, "INBOX")}
    gmail.look(wanted(1))
    listed = Reply({"messages": [{"id": "a"}]})
    found = gmail._get("a", Asked("GET", "", {"format": "metadata"}, {}, b""))
    gmail.service.faults = [found, listed, TROUBLE["503"]]

    with pytest.raises(PartlyReadError, match="503") as caught:
        gmail.look(wanted(1), wanted(2))
    assert [one.message_id for one in caught.value.partial] == ["<1@brand.example>"]


def test_further_messages_that_are_the_same_copy_are_counted(gmail: Gmail) -> None:
    gmail.letters = {"a": Letter(1, "SPAM"), "b": Letter(1, "INBOX"), "c": Letter(1, "SPAM")}

    (copy,) = gmail.look(wanted(1))

    assert (copy.role, copy.duplicates) == (Role.INBOX, 2)


def test_a_copy_that_was_deleted_for_good_is_nowhere(gmail: Gmail) -> None:
    gmail.letters["a"] = Letter(1, "INBOX")
    assert len(gmail.look(wanted(1))) == 1
    gmail.letters.clear()

    assert gmail.look(wanted(1, was_found=True)) == []
    assert gmail.mailbox.read("<1@brand.example>", limit=10) is None


def test_a_proxy_that_says_so_in_json_never_means_deleted(gmail: Gmail) -> None:
    gmail.letters["a"] = Letter(1, "INBOX")
    listed = Reply({"messages": [{"id": "a"}]})
    gmail.service.faults = [listed, Reply({"message": "no route matched"}, 404)]

    with pytest.raises(MailboxBusyError, match="404"):
        gmail.look(wanted(1))


@pytest.mark.parametrize("limit", [1, 7, 50, 100_000])
def test_a_copy_is_read_to_its_limit(gmail: Gmail, limit: int) -> None:
    gmail.letters["a"] = Letter(1, "INBOX")
    gmail.letters["a"].raw += b"x" * 90_000

    assert gmail.mailbox.read("<1@brand.example>", limit=limit) == gmail.letters["a"].raw[:limit]
    assert gmail.service.mistakes == []


def test_an_expired_token_is_renewed_once(gmail: Gmail) -> None:
    gmail.letters["a"] = Letter(1, "INBOX")
    gmail.good_token = "t2"

    assert len(gmail.look(wanted(1))) == 1
    gmail.good_token = "revoked"
    with pytest.raises(MailboxLockedError, match="does not know us") as caught:
        gmail.look(wanted(1))
    assert "seedwatch seeds authorize" in caught.value.remedy


def test_a_grant_that_may_not_search_needs_a_person(gmail: Gmail) -> None:
    gmail.scope = "gmail.metadata"

    with pytest.raises(MailboxLockedError, match="403 PERMISSION_DENIED") as caught:
        gmail.look(wanted(1))
    assert "gmail.metadata cannot search" in caught.value.remedy


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        (fault(403, "PERMISSION_DENIED", "rateLimitExceeded"), None),
        (fault(403, "PERMISSION_DENIED", "userRateLimitExceeded"), None),
        (fault(403, "RESOURCE_EXHAUSTED", "dailyLimitExceeded"), None),
        (fault(429, "RESOURCE_EXHAUSTED", "rateLimitExceeded", Retry_After="60"), 60),
    ],
)
def test_a_limit_of_rate_means_later(gmail: Gmail, error: FaultError, wait: int | None) -> None:
    gmail.service.faults = [error.reply]

    with pytest.raises(MailboxBusyError) as caught:
        gmail.look(wanted(1))
    expected = None if wait is None else timedelta(seconds=wait)
    assert caught.value.retry_after == expected


def test_a_wish_to_be_left_alone_is_kept_to(gmail: Gmail, clock: ManualClock) -> None:
    gmail.letters["a"] = Letter(1, "INBOX")
    account = Account("seed@gmail.example", "gmail", None, "", reader="gmail", oauth="x")
    parts = ReaderParts(timeout_s=5, tokens=lambda _: gmail.tokens, budget=Budget(clock))
    mailbox = open_mailbox(account, None, parts)
    assert isinstance(mailbox, GmailMailbox)
    mailbox._base_url = gmail.service.url
    gmail.service.faults = [
        fault(429, "RESOURCE_EXHAUSTED", "rateLimitExceeded", Retry_After="3600").reply
    ]
    with pytest.raises(MailboxBusyError, match="429"):
        mailbox.look([wanted(1)])

    clock.sleep(timedelta(minutes=59))
    with pytest.raises(MailboxBusyError, match="left alone until") as caught:
        mailbox.look([wanted(1)])
    asked = len(gmail.service.asked)
    clock.sleep(timedelta(minutes=1))

    assert (asked, caught.value.retry_after) == (1, timedelta(minutes=1))
    assert len(mailbox.look([wanted(1)])) == 1


@pytest.mark.parametrize(
    "error",
    [
        fault(400, "FAILED_PRECONDITION", "failedPrecondition"),  # "Mail service not enabled"
        fault(403, "PERMISSION_DENIED", "accessNotConfigured"),
        fault(404, "NOT_FOUND", "notFound"),
    ],
)
def test_a_mailbox_that_is_gone_needs_a_person(gmail: Gmail, error: FaultError) -> None:
    gmail.service.faults = [error.reply]

    with pytest.raises(MailboxLockedError):
        gmail.look(wanted(1))


@pytest.mark.parametrize("kind", [*TROUBLE, "empty"])
@pytest.mark.parametrize("step", ["list", "get"])
def test_an_answer_that_affirms_nothing_never_means_missing(
    gmail: Gmail, kind: str, step: str
) -> None:
    gmail.letters["a"] = Letter(1, "INBOX")
    trouble = Reply({}) if kind == "empty" else TROUBLE[kind]
    gmail.service.faults = [trouble]
    if step == "get":
        gmail.service.faults.insert(0, Reply({"messages": [{"id": "a"}]}))

    with pytest.raises(MailboxBusyError):
        gmail.look(wanted(1))


@pytest.mark.parametrize(
    "change",
    [
        {"id": "another"},
        {"payload": None},
        {"payload": {"headers": "x"}},
        {"payload": {}},
    ],
)
def test_a_message_that_makes_no_sense_never_means_missing(
    gmail: Gmail, change: dict[str, object]
) -> None:
    message = {"id": "a", "labelIds": ["INBOX"], "payload": {"headers": []}} | change
    gmail.service.faults = [Reply({"messages": [{"id": "a"}]}), Reply(message)]

    with pytest.raises(MailboxBusyError, match="makes no sense"):
        gmail.look(wanted(1))


def test_an_id_that_is_no_text_breaks_nothing(gmail: Gmail) -> None:
    gmail.service.faults = [Reply(b'{"messages": [{"id": "\\ud800"}]}', 200, JSON)]

    assert gmail.look(wanted(1)) == []


def test_labels_are_told_with_what_they_say_of_the_place(gmail: Gmail) -> None:
    told = {sight.name: (sight.role, sight.why) for sight in gmail.mailbox.layout()}

    assert told == {
        "INBOX": (Role.INBOX, "it is Gmail's label INBOX"),
        "CATEGORY_SOCIAL": (Role.TAB, "it is Gmail's category social"),
        "UNREAD": (None, "it does not tell where received mail is"),
        "News": (Role.OTHER, "it is a label of the owner's own"),
    }


def test_looking_for_nothing_proves_the_mailbox(gmail: Gmail) -> None:
    assert gmail.look() == []
    gmail.good_token = "revoked"

    with pytest.raises(MailboxLockedError):
        gmail.look()


def test_a_reader_without_a_grant_is_not_opened() -> None:
    account = Account("seed@gmail.example", "gmail", None, "seed", reader="gmail")

    with pytest.raises(BadInputError, match="oauth"):
        open_mailbox(account, None, ReaderParts(timeout_s=1))
    parts = ReaderParts(timeout_s=1, tokens=lambda _: Tokens())
    named = Account("seed@gmail.example", "gmail", None, "seed", reader="gmail", oauth="g")
    assert type(open_mailbox(named, None, parts)) is GmailMailbox
