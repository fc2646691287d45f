"""Seeds whose systems report by web hook what they received."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.core.campaigns import Match, Role, Wanted
from monitor.core.errors import BadInputError, MailboxBusyError
from monitor.core.ports import Mailbox, PartlyReadError
from monitor.core.seeds import Account, ProviderFacts
from monitor.mailboxes.inbound import Heard, Reported
from monitor.mailboxes.kinds import ReaderParts, open_mailbox

ANNA = "anna@brand.example"
SENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
COPY = Wanted("<copy1@news.example>", "abcdefghij2345672345", SENT)
OTHER = replace(COPY, message_id="<copy2@news.example>", token="klmnopqrst2345672345")
ACCOUNT = Account(ANNA, "corporate", None, ANNA, reader="inbound")


def reported(raw: bytes, folder: str = "", key: int = 1) -> Reported:
    return Reported(key, folder, SENT + timedelta(seconds=20), raw)


def letter(number: int = 1) -> bytes:
    return b"Message-ID: <copy%d@news.example>\r\nSubject: March\r\n\r\nHello\r\n" % number


@dataclass
class Told:
    """What has been reported: `Reports` in memory."""

    messages: list[Reported] = field(default_factory=list)
    is_alive: bool = True
    is_whole: bool = True

    def heard(self, address: str, since: datetime | None) -> Heard:
        assert address == ANNA
        new = [m for m in self.messages if since is None or m.received_at >= since]
        return Heard(new, is_whole=self.is_whole, is_alive=self.is_alive)

    def raw(self, key: int, limit: int) -> bytes | None:
        return next((m.raw[:limit] for m in self.messages if m.key == key), None)


def opened(told: Told) -> Mailbox:
    return open_mailbox(ACCOUNT, None, ReaderParts(timeout_s=1, reports=told))


@pytest.mark.parametrize(
    ("word", "folder", "role", "tab"),
    [
        ("", "INBOX", Role.INBOX, ""),
        ("inbox", "INBOX", Role.INBOX, ""),
        ("Junk E-mail", "Junk E-mail", Role.SPAM, ""),
        ("Quarantine", "Quarantine", Role.QUARANTINE, ""),
        ("spam", "spam", Role.SPAM, ""),
        ("Trash", "Trash", Role.TRASH, ""),
    ],
)
def test_the_reporting_systems_word_says_where_a_copy_lies(
    word: str, folder: str, role: Role, tab: str
) -> None:
    (found,) = opened(Told([reported(letter(), word)])).look([COPY])
    assert (found.folder, found.role, found.tab) == (folder, role, tab)
    assert found.received_at == SENT + timedelta(seconds=20)
    assert found.headers == b"Message-ID: <copy1@news.example>\r\nSubject: March\r\n"


def test_a_providers_own_names_are_known() -> None:
    facts = ProviderFacts("x", "X", (), None, {"massenmail": Role.TAB})
    parts = ReaderParts(timeout_s=1, reports=Told([reported(letter(), "Massenmail")]))
    (found,) = open_mailbox(ACCOUNT, facts, parts).look([COPY])
    assert (found.role, found.tab) == (Role.TAB, "Massenmail")


def test_a_copy_without_our_headers_is_known_by_its_body() -> None:
    raw = f"Subject: March\r\n\r\nsee {COPY.token} there\r\n".encode()
    (found,) = opened(Told([reported(raw)])).look([COPY])
    assert found.match is Match.BODY


def test_a_copy_that_a_living_hook_did_not_report_is_nowhere() -> None:
    assert opened(Told([reported(letter(2))])).look([COPY]) == []


def test_a_copy_that_a_silent_hook_did_not_report_is_unknown() -> None:
    with pytest.raises(MailboxBusyError, match="has told nothing within the last 24 hours"):
        opened(Told(is_alive=False)).look([COPY])


def test_what_a_hook_did_report_is_known_though_it_is_silent_now() -> None:
    told = Told([reported(letter())], is_alive=False)
    assert len(opened(told).look([COPY])) == 1
    with pytest.raises(PartlyReadError) as caught:
        opened(told).look([COPY, OTHER])
    assert [one.message_id for one in caught.value.partial] == [COPY.message_id]


def test_more_reports_than_are_looked_at_say_nothing_of_the_rest() -> None:
    with pytest.raises(MailboxBusyError, match="more than 0 messages"):
        opened(Told(is_whole=False)).look([COPY])


def test_what_was_reported_can_be_read_by_another_process_too() -> None:
    told = Told([reported(letter(2), key=6), reported(letter(), key=7)])
    assert opened(told).read(COPY.message_id, limit=11) == b"Message-ID:"
    assert opened(told).read("<none@news.example>", limit=11) is None


def test_looking_for_nothing_is_no_proof_and_no_trouble() -> None:
    assert opened(Told(is_alive=False)).look([]) == []


def test_a_reader_without_a_hook_says_what_to_configure() -> None:
    with pytest.raises(BadInputError, match=r"inbound\.key") as caught:
        open_mailbox(ACCOUNT, None, ReaderParts(timeout_s=1))
    assert "[inbound]" in caught.value.remedy
