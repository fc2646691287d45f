"""Reading over JMAP: a strict server of RFC 8620 and RFC 8621, and where it says no."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from monitor.core.campaigns import Found, Match, Role, Wanted
from monitor.core.errors import MailboxBusyError, MailboxLockedError, NotFoundError
from monitor.core.ports import PartlyReadError
from monitor.core.seeds import Account, Endpoint, ProviderFacts, Security
from monitor.mailboxes.jmap import JmapMailbox, open_jmap
from monitor.mailboxes.kinds import ReaderParts, open_mailbox
from tests.edges.strict_http import TROUBLE, Asked, FaultError, Reply, StrictService

SENT = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
CAME = datetime(2026, 3, 2, 8, 0, 5, tzinfo=UTC)
CORE, MAIL = "urn:ietf:params:jmap:core", "urn:ietf:params:jmap:mail"
TOKEN = "fmu1-s3cret"
FOLDERS = {
    "P1": ("Inbox", "inbox"),
    "P2": ("Spam", "junk"),
    "P3": ("Trash", "trash"),
    "P4": ("Archive", "archive"),
    "P5": ("Sent", "sent"),
    "P6": ("News", None),
}


def wanted(number: int = 1, **more: Any) -> Wanted:
    return Wanted(f"<{number}@brand.example>", f"tok{number}", SENT, **more)


class Letter:
    """One stored email."""

    def __init__(self, number: int, *folders: str, message_id: str = "") -> None:
        self.folders = folders
        self.headers = [
            (" Message-ID", message_id or f"<{number}@brand.example>"),
            ("X-Seedwatch-Test", f" tok{number}"),
        ]
        self.raw = b"".join(f"{n.strip()}:{v}\r\n".encode() for n, v in self.headers) + b"\r\nbody"


class Jmap:
    """A session, Mailbox/get, Email/query, Email/get with result references, and blobs."""

    def __init__(self) -> None:
        self.letters: dict[str, Letter] = {}
        self.token = TOKEN
        self.limit = 1_000  # that the server puts on searches
        self.errors: dict[str, str] = {}  # method -> error type
        self.state = "s1"
        self.accounts: dict[str, str] = {CORE: "u1", MAIL: "u1"}
        self.service = StrictService(self._answer)
        self.mailbox = self.opened(TOKEN)

    def opened(self, token: str) -> JmapMailbox:
        server = Endpoint("127.0.0.1", self.service.port, Security.PLAIN)
        account = Account("seed@fm.example", "fastmail", server, "seed", token, reader="jmap")
        mailbox = open_mailbox(account, None, ReaderParts(timeout_s=5))
        assert isinstance(mailbox, JmapMailbox)
        return mailbox

    def look(self, *wanted: Wanted) -> list[Found]:
        try:
            return self.mailbox.look(wanted)
        finally:
            assert self.service.mistakes == []

    @property
    def requests(self) -> list[Asked]:
        return [asked for asked in self.service.asked if asked.method == "POST"]

    def _answer(self, asked: Asked) -> Reply:
        if asked.headers.get("authorization") != f"Bearer {self.token}":
            problem = {"type": "about:blank", "status": 401, "title": "Unauthorized"}
            raise FaultError(401, problem, Content_Type="application/problem+json")
        if (asked.method, asked.path) == ("GET", "/.well-known/jmap"):
            return Reply(b"", 307, {"Location": "/jmap/session"})
        if (asked.method, asked.path) == ("GET", "/jmap/session"):
            return Reply(self._session())
        if (asked.method, asked.path) == ("POST", "/jmap/api/"):
            return self._api(asked.json)
        assert asked.method == "GET"
        assert asked.query == {"type": "application/octet-stream"}
        account, blob, name = asked.path.removeprefix("/jmap/download/").split("/")
        assert (account, name) == ("u1", "message.eml")
        if blob not in self.letters:
            raise FaultError(404, {"type": "about:blank"}, Content_Type="application/problem+json")
        return Reply(self.letters[blob].raw, 200, {"Content-Type": "application/octet-stream"})

    def _session(self) -> dict[str, object]:
        url = self.service.url
        return {
            "capabilities": {CORE: {"maxObjectsInGet": 500, "maxCallsInRequest": 16}, MAIL: {}},
            "accounts": {"u1": {"name": "seed@fm.example", "isPersonal": True}},
            "primaryAccounts": self.accounts,
            "username": "seed@fm.example",
            "apiUrl": f"{url}/jmap/api/",
            "downloadUrl": f"{url}/jmap/download/{{accountId}}/{{blobId}}/{{name}}?type={{type}}",
            "uploadUrl": f"{url}/jmap/upload/{{accountId}}/",
            "eventSourceUrl": f"{url}/jmap/event/",
            "state": self.state,
        }

    def _api(self, body: dict[str, Any]) -> Reply:
        assert set(body) == {"using", "methodCalls"}
        assert set(body["using"]) == {CORE, MAIL}
        responses: list[list[Any]] = []
        for method, arguments, call in body["methodCalls"]:
            if method in self.errors:
                responses.append(["error", {"type": self.errors[method]}, call])
                continue
            assert arguments.pop("accountId") == "u1"
            for name in [key for key in arguments if key.startswith("#")]:
                reference = arguments.pop(name)
                source = next(r for r in responses if r[2] == reference["resultOf"])
                assert source[0] in {reference["name"], "error"}
                assert reference["path"] == "/ids"
                arguments[name[1:]] = source[1].get("ids", [])
            answers = {
                "Mailbox/get": self._mailboxes,
                "Email/query": self._query,
                "Email/get": self._get,
            }
            responses.append([method, answers[method](arguments), call])
        return Reply({"methodResponses": responses, "sessionState": self.state})

    def _mailboxes(self, arguments: dict[str, Any]) -> dict[str, Any]:
        assert arguments == {"ids": None, "properties": ["id", "name", "role"]}
        rows = [{"id": key, "name": n, "role": r} for key, (n, r) in FOLDERS.items()]
        return {"accountId": "u1", "state": "1", "list": rows, "notFound": []}

    def _query(self, arguments: dict[str, Any]) -> dict[str, Any]:
        assert set(arguments) <= {"filter", "sort", "position", "limit"}
        found = [key for key, one in self.letters.items() if _fits(one, arguments["filter"])]
        start, limit = arguments.get("position", 0), arguments["limit"]
        answer: dict[str, Any] = {"accountId": "u1", "queryState": "1", "position": start}
        if limit > self.limit:
            limit = answer["limit"] = self.limit
        return answer | {"ids": found[start : start + limit]}

    def _get(self, arguments: dict[str, Any]) -> dict[str, Any]:
        known = {"id", "blobId", "mailboxIds", "receivedAt", "headers"}
        assert set(arguments["properties"]) <= known
        rows = []
        for key in arguments["ids"]:
            if key in self.letters:
                one = self.letters[key]
                row = {
                    "id": key,
                    "blobId": key,
                    "mailboxIds": dict.fromkeys(one.folders, True),
                    "receivedAt": "2026-03-02T08:00:05Z",
                    "headers": [{"name": n.strip(), "value": v} for n, v in one.headers],
                }
                rows.append({name: row[name] for name in arguments["properties"]})
        return {"accountId": "u1", "state": "1", "list": rows, "notFound": []}


def _fits(letter: Letter, condition: dict[str, Any]) -> bool:
    """Hold a letter against a filter of RFC 8621 section 4.4.1, as far as it is asked here."""
    if "operator" in condition:
        assert set(condition) == {"operator", "conditions"}
        assert condition["operator"] == "OR"
        return any(_fits(letter, one) for one in condition["conditions"])
    if "header" in condition:
        assert set(condition) == {"header"}
        name, text = condition["header"]
        return any(n.strip().lower() == name.lower() and text in v for n, v in letter.headers)
    assert set(condition) == {"from", "subject", "after"}
    datetime.fromisoformat(condition["after"])
    return False


@pytest.fixture
def jmap() -> Iterator[Jmap]:
    server = Jmap()
    yield server
    server.service.stop()


@pytest.mark.parametrize(
    ("folders", "role", "name"),
    [
        (("P1",), Role.INBOX, "Inbox"),
        (("P2",), Role.SPAM, "Spam"),
        (("P3",), Role.TRASH, "Trash"),
        (("P4",), Role.OTHER, "Archive"),
        (("P6",), Role.OTHER, "News"),
        (("P6", "P1"), Role.INBOX, "Inbox"),
        (("P5", "P2"), Role.SPAM, "Spam"),
        (("vanished",), Role.OTHER, "folder"),
    ],
)
def test_folders_tell_the_place(
    jmap: Jmap, folders: tuple[str, ...], role: Role, name: str
) -> None:
    jmap.letters["M1"] = Letter(1, *folders)

    (copy,) = jmap.look(wanted(1))

    assert (copy.role, copy.folder, copy.tab) == (role, name, "")
    assert (copy.received_at, copy.match) == (CAME, Match.MESSAGE_ID)
    assert copy.headers == b"Message-ID: <1@brand.example>\r\nX-Seedwatch-Test: tok1\r\n"


def test_folders_are_told_with_how_we_know(jmap: Jmap) -> None:
    told = {sight.name: (sight.role, sight.why) for sight in jmap.mailbox.layout()}

    assert told["Spam"] == (Role.SPAM, "its role is junk")
    assert told["Sent"] == (None, "its role is sent: not received mail")
    assert told["News"] == (Role.OTHER, "it has no role")


def test_what_the_owner_wrote_is_no_copy(jmap: Jmap) -> None:
    jmap.letters["M1"] = Letter(1, "P5")

    assert jmap.look(wanted(1)) == []


def test_a_look_is_one_request(jmap: Jmap) -> None:
    jmap.letters = {f"M{n}": Letter(n, "P1") for n in range(20)}

    assert len(jmap.look(*(wanted(n) for n in range(20)))) == 20
    assert len(jmap.look(*(wanted(n) for n in range(20)))) == 20
    assert len(jmap.requests) == 2
    assert [a.path for a in jmap.service.asked[:2]] == ["/.well-known/jmap", "/jmap/session"]


def test_a_server_that_gives_few_at_a_time_is_asked_to_the_last(jmap: Jmap) -> None:
    jmap.letters = {f"M{n}": Letter(n, "P1") for n in range(30)}
    jmap.limit = 7

    assert len(jmap.look(*(wanted(n) for n in range(30)))) == 30


def test_more_messages_than_are_compared_make_the_others_unknown(jmap: Jmap) -> None:
    jmap.letters = {f"M{n}": Letter(1, "P1") for n in range(15)}
    jmap.limit = 1

    with pytest.raises(PartlyReadError, match="more messages") as caught:
        jmap.look(wanted(1), wanted(2))
    assert [one.message_id for one in caught.value.partial] == ["<1@brand.example>"]


def test_a_copy_with_another_message_id_is_known_by_its_header(jmap: Jmap) -> None:
    jmap.letters["M1"] = Letter(1, "P2", message_id="<other@gateway.example>")

    (copy,) = jmap.look(wanted(1, from_address="news@brand.example", subject="hello"))

    assert (copy.match, copy.role) == (Match.HEADER, Role.SPAM)
    assert jmap.mailbox.read("<1@brand.example>", limit=12) == jmap.letters["M1"].raw[:12]


def test_further_messages_that_are_the_same_copy_are_counted(jmap: Jmap) -> None:
    jmap.letters = {"M1": Letter(1, "P2"), "M2": Letter(1, "P1"), "M3": Letter(1, "P5")}

    (copy,) = jmap.look(wanted(1))

    assert (copy.role, copy.duplicates) == (Role.INBOX, 1)


def test_a_copy_is_read_to_its_limit(jmap: Jmap) -> None:
    jmap.letters["M1/a b"] = Letter(1, "P1")
    jmap.letters["M2"] = Letter(2, "P1")

    assert jmap.mailbox.read("<2@brand.example>", limit=5) == b"Messa"
    assert jmap.mailbox.read("<9@brand.example>", limit=5) is None
    assert quote("M1/a b", safe="") == "M1%2Fa%20b"


def test_a_copy_that_goes_away_between_search_and_reading_is_none(jmap: Jmap) -> None:
    jmap.letters["M1"] = Letter(1, "P1")
    jmap.look(wanted(1))
    jmap.letters.clear()

    assert jmap.mailbox.read("<1@brand.example>", limit=5) is None


def test_a_token_that_was_revoked_needs_a_person_and_is_not_shown(jmap: Jmap) -> None:
    jmap.token = "another"

    with pytest.raises(MailboxLockedError, match="401") as caught:
        jmap.look(wanted(1))
    assert "new API token" in caught.value.remedy
    assert TOKEN not in f"{caught.value} {jmap.mailbox!r} {jmap.mailbox._mail!r}"


def test_a_seed_without_a_token_needs_a_person(jmap: Jmap) -> None:
    with pytest.raises(MailboxLockedError, match="no API token"):
        jmap.opened("").look([wanted(1)])
    assert jmap.service.asked == []


def test_an_account_without_mail_needs_a_person(jmap: Jmap) -> None:
    del jmap.accounts[MAIL]

    with pytest.raises(MailboxLockedError, match="no mail for this account"):
        jmap.look(wanted(1))


@pytest.mark.parametrize("method", ["Mailbox/get", "Email/query", "Email/get"])
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("serverUnavailable", MailboxBusyError),
        ("serverFail", MailboxBusyError),
        ("unsupportedFilter", MailboxBusyError),
        ("accountNotFound", MailboxLockedError),
        ("forbidden", MailboxLockedError),
    ],
)
def test_a_method_that_fails_never_means_missing(
    jmap: Jmap, method: str, error: str, kind: type[Exception]
) -> None:
    jmap.letters["M1"] = Letter(1, "P1")
    jmap.errors[method] = error

    with pytest.raises(kind, match=error):
        jmap.look(wanted(1))


@pytest.mark.parametrize("kind", [*TROUBLE, "empty"])
@pytest.mark.parametrize("step", ["session", "api"])
def test_an_answer_that_affirms_nothing_never_means_missing(
    jmap: Jmap, kind: str, step: str
) -> None:
    jmap.letters["M1"] = Letter(1, "P1")
    if step == "api":
        jmap.look()
    jmap.service.faults = [Reply({}) if kind == "empty" else TROUBLE[kind]]

    with pytest.raises(MailboxBusyError):
        jmap.look(wanted(1))


@pytest.mark.parametrize(
    "responses",
    [
        [],
        "x",
        [["Mailbox/get", {}, "m"], ["Email/query", {}, "q"], ["Email/get", {}, "e"]],
        [
            ["Mailbox/get", {"list": []}, "m"],
            ["Email/query", {"ids": []}, "q"],
            ["Email/get", {}, "e"],
        ],
        [
            ["Mailbox/get", {"list": []}, "m"],
            ["Email/query", {}, "q"],
            ["Email/get", {"list": []}, "e"],
        ],
        [
            ["Mailbox/get", {"list": []}, "m"],
            ["Email/query", {"ids": ["M1"]}, "q"],
            ["Email/get", {"list": [{}]}, "e"],
        ],
        [
            ["Mailbox/get", {"list": []}, "m"],
            ["Email/query", {"ids": ["M1"]}, "q"],
            ["Email/get", {"list": []}, "e"],
        ],
        [
            ["Mailbox/get", {"list": []}, "m"],
            ["Email/query", {"ids": ["M1"]}, "q"],
            ["Email/get", {"list": [{"id": "M1", "mailboxIds": {"P1": True}}]}, "e"],
        ],
    ],
)
def test_responses_that_make_no_sense_never_mean_missing(jmap: Jmap, responses: object) -> None:
    jmap.look()
    jmap.service.faults = [Reply({"methodResponses": responses, "sessionState": "s1"})]

    with pytest.raises(MailboxBusyError):
        jmap.look(wanted(1))


def test_a_message_that_goes_away_between_search_and_fetch_is_nowhere(jmap: Jmap) -> None:
    jmap.look()
    told = [
        ["Mailbox/get", {"list": []}, "m"],
        ["Email/query", {"ids": ["M1"]}, "q"],
        ["Email/get", {"list": [], "notFound": ["M1"]}, "e"],
    ]
    jmap.service.faults = [Reply({"methodResponses": told, "sessionState": "s1"})]

    assert jmap.look(wanted(1)) == []


def test_a_limit_of_rate_means_later(jmap: Jmap) -> None:
    problem = {"type": "urn:ietf:params:jmap:error:limit", "limit": "maxConcurrentRequests"}
    headers = {"Retry-After": "20", "Content-Type": "application/problem+json"}
    jmap.look()
    jmap.service.faults = [Reply(problem, 429, headers), Reply(problem, 400, headers)]

    for _ in range(2):
        with pytest.raises(MailboxBusyError, match="error:limit") as caught:
            jmap.look(wanted(1))
        assert caught.value.retry_after == timedelta(seconds=20)


def test_a_server_that_has_changed_is_asked_for_its_session_again(jmap: Jmap) -> None:
    jmap.look()
    jmap.state = "s2"
    jmap.look()
    jmap.look()

    assert sum(asked.path == "/jmap/session" for asked in jmap.service.asked) == 2


@pytest.mark.parametrize("key", ["apiUrl", "downloadUrl"])
@pytest.mark.parametrize("url", ["", "ftp://x/", "http://elsewhere.example/", "http://["])
def test_a_token_goes_to_no_server_that_is_less_safe(jmap: Jmap, key: str, url: str) -> None:
    jmap.service.faults = [Reply(jmap._session() | {key: url})]

    with pytest.raises(MailboxBusyError, match="no JMAP session"):
        jmap.look(wanted(1))


@pytest.mark.parametrize(
    ("host", "url"),
    [
        (None, "https://api.fastmail.com/jmap/session"),
        (Endpoint("mail.example.org", 993), "https://mail.example.org:443/.well-known/jmap"),
        (Endpoint("mail.example.org", 8443), "https://mail.example.org:8443/.well-known/jmap"),
    ],
)
def test_the_session_is_the_provider_s_or_the_seed_s_own(
    facts: dict[str, ProviderFacts], host: Endpoint | None, url: str
) -> None:
    fastmail = facts["fastmail"]
    account = Account("a@fm.example", "fastmail", host or fastmail.imap, "a", TOKEN)

    assert open_jmap(account, fastmail, None, timeout_s=1)._session_url == url


def test_a_seed_without_any_server_is_not_opened(facts: dict[str, ProviderFacts]) -> None:
    account = Account("a@x.example", "corporate", None, "a", TOKEN)

    with pytest.raises(NotFoundError):
        open_jmap(account, facts["corporate"], None, timeout_s=1)
