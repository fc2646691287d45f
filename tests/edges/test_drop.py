"""Seeds whose mail another system lays down as files."""

import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.core.campaigns import Found, Match, Role, Wanted
from monitor.core.errors import BadInputError, MailboxBusyError, MailboxLockedError
from monitor.core.ports import PartlyReadError
from monitor.core.seeds import Account, ProviderFacts
from monitor.mailboxes import drop_index
from monitor.mailboxes.drop import DropMailbox
from monitor.mailboxes.drop_index import Drop
from monitor.mailboxes.kinds import ReaderParts, open_mailbox

ANNA, BERT = "anna@brand.example", "bert@brand.example"
SENT = datetime(2026, 3, 1, 12, tzinfo=UTC)
TOKEN = "abcdefghij2345672345"
FACTS = ProviderFacts("corporate", "Corporate", (), None, {"massenmail": Role.TAB})
MAILDIR = [("", Role.INBOX), (".Spam", Role.SPAM), (".Courrier ind&AOk-sirable", Role.SPAM)]


def copy(number: int = 1, **more: object) -> Wanted:
    return Wanted(f"<copy{number}@news.example>", TOKEN, SENT, **more)  # type: ignore[arg-type]


def letter(
    number: int = 1, *, to: str = f"Delivered-To: {ANNA}", mark: str = "", body: str = "Hello"
) -> bytes:
    return (
        f"{to}\r\nMessage-ID: <copy{number}@news.example>\r\n{mark}"
        f"From: hello@news.example\r\nSubject: March\r\n\r\n{body}\r\n"
    ).encode()


def put(path: Path, raw: bytes, *, age: timedelta = timedelta()) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw)
    moment = (SENT + timedelta(minutes=1) - age).timestamp()
    os.utime(path, (moment, moment))
    return path


def maildir(path: Path) -> Path:
    for part in ("cur", "new", "tmp"):
        (path / part).mkdir(parents=True, exist_ok=True)
    return path


def opened(path: Path, form: str = "maildir", address: str = ANNA) -> DropMailbox:
    return of_drop(Drop(path, form), address)


def of_drop(drop: Drop, address: str = ANNA) -> DropMailbox:
    account = Account(address, "corporate", None, address, reader="drop", drop="here")
    mailbox = open_mailbox(account, FACTS, ReaderParts(timeout_s=1, drops={"here": drop}))
    assert isinstance(mailbox, DropMailbox)
    return mailbox


def places(found: list[Found]) -> list[tuple[str, Role]]:
    return [(one.folder, one.role) for one in found]


@pytest.mark.parametrize(("folder", "role"), MAILDIR)
@pytest.mark.parametrize("part", ["new", "cur"])
def test_a_copy_in_a_maildir_is_where_its_folder_says(
    tmp_path: Path, folder: str, role: Role, part: str
) -> None:
    maildir(tmp_path)
    put(maildir(tmp_path / folder) / part / "1.host:2,S", letter())
    (found,) = opened(tmp_path).look([copy()])
    assert (found.role, found.match) == (role, Match.MESSAGE_ID)
    assert found.received_at == SENT + timedelta(minutes=1)
    assert found.headers.startswith(b"Delivered-To: anna@brand.example\r\n")


def test_folders_are_called_as_people_call_them(tmp_path: Path) -> None:
    put(maildir(tmp_path / ".Courrier ind&AOk-sirable") / "new" / "1", letter())
    assert places(opened(tmp_path).look([copy()])) == [("Courrier indésirable", Role.SPAM)]


def test_what_is_still_being_delivered_or_sent_by_the_owner_is_not_looked_at(
    tmp_path: Path,
) -> None:
    put(maildir(tmp_path) / "tmp" / "1", letter())
    put(maildir(tmp_path / ".Sent") / "cur" / "2", letter())
    assert opened(tmp_path).look([copy()]) == []


@pytest.mark.parametrize(
    ("file", "folder", "role"),
    [
        ("1.eml", "INBOX", Role.INBOX),
        ("Junk E-mail/1.EML", "Junk E-mail", Role.SPAM),
        ("Massenmail/1.eml", "Massenmail", Role.TAB),
        ("a/b/1.eml", "a/b", Role.OTHER),
        (f"{ANNA}/Quarantine/1.eml", "Quarantine", Role.QUARANTINE),
    ],
)
def test_directories_of_eml_files_are_folders(
    tmp_path: Path, file: str, folder: str, role: Role
) -> None:
    put(tmp_path / file, letter())
    assert places(opened(tmp_path, "eml").look([copy()])) == [(folder, role)]


def mbox(*letters: bytes) -> bytes:
    return b"".join(
        b"From hello@news.example Sun Mar  1 12:01:00 2026\n" + raw.replace(b"\r\n", b"\n") + b"\n"
        for raw in letters
    )


RECEIVED = f"Received: from a by b for <{ANNA}>;\r\n Sun, 1 Mar 2026 13:01:00 +0100"


@pytest.mark.parametrize(
    ("file", "folder", "role"),
    [("", "INBOX", Role.INBOX), ("inbox", "INBOX", Role.INBOX), ("Spam.mbox", "Spam", Role.SPAM)],
)
def test_mbox_files_are_folders(tmp_path: Path, file: str, folder: str, role: Role) -> None:
    path = put(tmp_path / (file or "mail"), mbox(letter(2), letter(1, to=RECEIVED), letter(3)))
    (found,) = opened(tmp_path if file else path, "mbox").look([copy()])
    assert (found.folder, found.role) == (folder, role)
    assert found.received_at == SENT + timedelta(minutes=1)


@pytest.mark.parametrize(
    "to",
    [
        f"X-Original-To: {ANNA}",
        f"Envelope-To: <{ANNA.upper()}>",
        f"To: Anna <{ANNA}>",
        RECEIVED,
    ],
)
def test_a_letter_is_a_seeds_if_a_header_names_it_as_the_recipient(tmp_path: Path, to: str) -> None:
    raw = letter(9, to=to, mark=f"X-Seedwatch-Test: {TOKEN}\r\n")
    put(maildir(tmp_path) / "new" / "1", raw)
    drop = Drop(tmp_path, "maildir")
    (found,) = of_drop(drop).look([copy()])
    assert found.match is Match.HEADER
    assert of_drop(drop, BERT).look([copy(2)]) == []


def test_a_letter_in_a_directory_of_an_address_is_that_seeds_whatever_it_says(
    tmp_path: Path,
) -> None:
    raw = letter(9, to=f"To: {BERT}", mark=f"X-Seedwatch-Test: {TOKEN}\r\n")
    put(maildir(tmp_path / ANNA) / "new" / "1", raw)
    drop = Drop(tmp_path, "maildir")
    assert places(of_drop(drop).look([copy()])) == [("INBOX", Role.INBOX)]
    maildir(tmp_path)  # where mail of others may lie
    assert of_drop(drop, BERT).look([copy(2)]) == []


def test_a_seed_for_which_nothing_was_ever_laid_down_is_unknown(tmp_path: Path) -> None:
    put(maildir(tmp_path / ANNA) / "new" / "1", letter())
    with pytest.raises(MailboxBusyError, match="nothing is there that is a Maildir"):
        opened(tmp_path, address=BERT).look([copy(2)])


def test_where_each_address_has_its_place_the_mail_of_one_without_is_unknown(
    tmp_path: Path,
) -> None:
    put(tmp_path / ANNA / "1.eml", letter())
    put(tmp_path / BERT / "2.eml", letter(2))
    mailbox = opened(tmp_path, "eml")
    assert len(mailbox.look([copy()])) == 1
    (tmp_path / ANNA).rename(tmp_path.with_name("elsewhere"))
    with pytest.raises(MailboxBusyError, match=r"nothing is there that is an \.eml file"):
        mailbox.look([copy(was_found=True)])
    put(tmp_path / "3.eml", letter(3))
    assert len(mailbox.look([copy(3)])) == 1


def test_files_and_directories_of_addresses_are_of_these_alone(tmp_path: Path) -> None:
    put(tmp_path / f"{ANNA.upper()}.mbox", mbox(letter(1, to="To: nobody")))
    put(tmp_path / BERT / "Spam", mbox(letter(2, to="To: nobody")))
    drop = Drop(tmp_path, "mbox")
    assert places(of_drop(drop).look([copy()])) == [("INBOX", Role.INBOX)]
    assert places(of_drop(drop, BERT).look([copy(2)])) == [("Spam", Role.SPAM)]
    assert of_drop(drop).look([copy(2)]) == []


def test_our_own_message_id_is_enough_where_no_recipient_is_named(tmp_path: Path) -> None:
    put(maildir(tmp_path) / "new" / "1", letter(to="To: undisclosed-recipients:;"))
    assert len(opened(tmp_path).look([copy()])) == 1


def test_a_copy_without_our_headers_is_known_by_its_body(tmp_path: Path) -> None:
    put(maildir(tmp_path) / "new" / "1", letter(9, body=f"see {TOKEN}"))
    (found,) = opened(tmp_path).look([copy()])
    assert found.match is Match.BODY


def test_a_copy_that_lies_twice_counts_once(tmp_path: Path) -> None:
    put(maildir(tmp_path / ".Spam") / "new" / "1", letter())
    put(maildir(tmp_path) / "new" / "2", letter())
    (found,) = opened(tmp_path).look([copy()])
    assert (found.role, found.duplicates) == (Role.INBOX, 1)


def test_a_copy_that_moves_between_two_looks_is_found_where_it_is_now(tmp_path: Path) -> None:
    path = put(maildir(tmp_path) / "new" / "1", letter())
    mailbox = opened(tmp_path)
    mailbox.look([copy()])
    path.rename(maildir(tmp_path / ".Spam") / "cur" / "1:2,S")
    assert places(mailbox.look([copy(was_found=True)])) == [("Spam", Role.SPAM)]
    (tmp_path / ".Spam" / "cur" / "1:2,S").unlink()
    assert mailbox.look([copy(was_found=True)]) == []


def test_a_look_leaves_no_trace(tmp_path: Path) -> None:
    put(maildir(tmp_path / "m") / "new" / "1", letter())
    put(tmp_path / "b" / "inbox", mbox(letter()))
    put(tmp_path / "e" / "1.eml", letter())

    def state() -> list[tuple[str, int, int, bytes]]:
        return [
            (str(p), p.stat().st_mtime_ns, p.stat().st_size, p.read_bytes() if p.is_file() else b"")
            for p in sorted(tmp_path.rglob("*"))
        ]

    before = state()
    for place, form in (("m", "maildir"), ("b", "mbox"), ("e", "eml")):
        mailbox = opened(tmp_path / place, form)
        assert len(mailbox.look([copy()])) == 1
        assert mailbox.read("<copy1@news.example>", limit=10_000) is not None
        mailbox.close()
    assert state() == before


def test_a_later_look_opens_only_what_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        put(maildir(tmp_path) / "new" / str(number), letter(number))
    mailbox = opened(tmp_path)
    assert len(mailbox.look([copy(3)])) == 1
    for number in range(30):
        (tmp_path / "new" / str(number)).chmod(0)
    put(tmp_path / "new" / "31", letter(31))
    monkeypatch.setattr(drop_index, "MAX_READ", 1)
    assert len(mailbox.look([copy(3), copy(31)])) == 2


def test_a_directory_that_has_stood_still_is_not_listed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(maildir(tmp_path) / "new" / "1", letter())
    listed: list[str] = []
    real = os.scandir

    def noted(path: Path) -> object:
        listed.append(Path(path).name)
        return real(path)

    monkeypatch.setattr(os, "scandir", noted)
    monkeypatch.setattr(drop_index, "SETTLED_S", 0)
    mailbox = opened(tmp_path)
    mailbox.look([copy()])
    assert {"new", "cur"} <= set(listed)
    listed.clear()
    assert len(mailbox.look([copy()])) == 1
    assert not {"new", "cur"} & set(listed)
    put(tmp_path / "new" / "2", letter(2))
    os.utime(tmp_path / "new", (0, 0))  # another time for sure, however coarse the clock is
    assert len(mailbox.look([copy(), copy(2)])) == 2
    assert "cur" not in listed


def test_what_came_long_before_is_not_even_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(30):
        put(maildir(tmp_path) / "new" / str(number), letter(number), age=timedelta(days=30))
    put(tmp_path / "new" / "now", letter())
    monkeypatch.setattr(drop_index, "MAX_READ", 1)
    assert len(opened(tmp_path).look([copy()])) == 1


def test_more_new_letters_than_are_read_is_unknown_and_not_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        put(maildir(tmp_path) / "new" / str(number), letter(number + 1))
    monkeypatch.setattr(drop_index, "MAX_READ", 2)
    mailbox = opened(tmp_path)
    for _ in range(2):
        with pytest.raises(MailboxBusyError, match="more than is read"):
            mailbox.look([copy(5)])
    assert len(mailbox.look([copy(5)])) == 1


def vanish(root: Path) -> None:
    root.rename(root.with_name("elsewhere"))


def empty(root: Path) -> None:
    vanish(root)
    root.mkdir()


@pytest.mark.parametrize("harm", [vanish, empty])
@pytest.mark.parametrize("form", ["maildir", "eml", "mbox"])
def test_a_place_that_is_gone_or_not_mounted_is_unknown_with_a_remedy(
    tmp_path: Path, harm: Callable[[Path], None], form: str
) -> None:
    root = tmp_path / "drop"
    if form == "mbox":
        put(root / "inbox", mbox(letter()))
    else:
        put(maildir(root) / "new" / "1", letter())
    mailbox = opened(root, form)
    mailbox.look([copy(was_found=True)])
    harm(root)
    with pytest.raises(MailboxBusyError, match="cannot be used") as caught:
        mailbox.look([copy(was_found=True)])
    assert "[drops.here] path" in caught.value.remedy


def test_links_pipes_and_devices_are_not_opened(tmp_path: Path) -> None:
    outside = put(tmp_path / "outside" / "1.eml", letter())
    root = tmp_path / "drop"
    put(root / "2.eml", letter(2))
    (root / "1.eml").symlink_to(outside)
    (root / "Spam").symlink_to(outside.parent)
    os.mkfifo(root / "3.eml")
    assert opened(root, "eml").look([copy(), copy(2)])[0].message_id == "<copy2@news.example>"
    assert len(opened(root, "eml").look([copy()])) == 0


def test_no_link_within_a_maildir_leads_out_of_the_drop(tmp_path: Path) -> None:
    outside = maildir(tmp_path / "outside")
    put(outside / "new" / "1", letter())
    root = tmp_path / "drop"
    put(root / "cur" / "2", letter(2))
    (root / "new").symlink_to(outside / "new")
    (root / ANNA).mkdir()
    (root / ANNA / "Maildir").symlink_to(outside)

    (found,) = opened(root).look([copy(), copy(2)])

    assert found.message_id == "<copy2@news.example>"


def test_the_drop_itself_may_be_a_link(tmp_path: Path) -> None:
    put(tmp_path / "there" / "inbox", mbox(letter()))
    (tmp_path / "here").symlink_to(tmp_path / "there" / "inbox")
    assert len(opened(tmp_path / "here", "mbox").look([copy()])) == 1


def test_a_file_of_a_gigabyte_costs_no_more_than_another(tmp_path: Path) -> None:
    path = put(maildir(tmp_path) / "new" / "1", letter())
    os.truncate(path, 1 << 30)  # sparse
    os.utime(path, (SENT.timestamp(), SENT.timestamp()))
    mailbox = opened(tmp_path)
    assert len(mailbox.look([copy()])) == 1
    assert len(mailbox.read("<copy1@news.example>", limit=4096) or b"") == 4096


def test_an_mbox_that_grows_is_read_on(tmp_path: Path) -> None:
    path = put(tmp_path / "inbox", mbox(letter(1), letter(2))[:-40])  # the last one is cut off
    mailbox = opened(path, "mbox")
    assert len(mailbox.look([copy(1)])) == 1
    path.write_bytes(mbox(letter(1), letter(2), letter(3)))
    assert len(mailbox.look([copy(1), copy(2), copy(3)])) == 3


def test_a_letter_that_was_half_written_when_we_looked_is_read_again(tmp_path: Path) -> None:
    long = b"X-Filter: " + b"long words " * 40 + b"\r\n"
    whole = mbox(long + letter())
    path = put(tmp_path / "inbox", whole[:400])
    mailbox = opened(path, "mbox")
    assert mailbox.look([copy()]) == []
    path.write_bytes(whole)
    assert len(mailbox.look([copy()])) == 1


def test_an_mbox_that_became_shorter_is_believed_at_the_second_look(tmp_path: Path) -> None:
    path = put(tmp_path / "inbox", mbox(letter(1), letter(2)))
    mailbox = opened(path, "mbox")
    assert len(mailbox.look([copy(1), copy(2)])) == 2
    path.write_bytes(mbox(letter(2)))
    with pytest.raises(MailboxBusyError, match="written anew"):
        mailbox.look([copy(1), copy(2)])
    (found,) = mailbox.look([copy(1), copy(2)])
    assert found.message_id == "<copy2@news.example>"


def test_an_mbox_whose_separators_lie_across_pieces_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.mailboxes.drop_mbox._CHUNK", 16)
    path = put(tmp_path / "inbox", mbox(*[letter(n) for n in range(20)]))
    assert len(opened(path, "mbox").look([copy(n) for n in range(20)])) == 20


def test_a_file_that_is_no_mbox_holds_no_letters(tmp_path: Path) -> None:
    put(tmp_path / "inbox", mbox(letter()))
    put(tmp_path / "Spam.msf", b"// <!-- <mdb:mork:z -->\n\nFrom here\nMessage-ID: <x@y>\n")
    assert len(opened(tmp_path, "mbox").look([copy()])) == 1


def test_letters_of_garbage_stop_nothing(tmp_path: Path) -> None:
    garbage = (b"", b"\0" * 5000, b"To: " + b"a@b.example," * 9000, b"\xff\xfe\r\n" * 99)
    for number, raw in enumerate(garbage):
        put(maildir(tmp_path) / "new" / str(number), raw)
    put(tmp_path / "new" / "x", letter())
    assert len(opened(tmp_path).look([copy()])) == 1


def test_looking_for_nothing_proves_that_the_drop_is_there(tmp_path: Path) -> None:
    assert opened(maildir(tmp_path)).look([]) == []
    with pytest.raises(MailboxBusyError):
        opened(tmp_path / "nowhere").look([])


def test_the_layout_says_why(tmp_path: Path) -> None:
    maildir(tmp_path)
    maildir(tmp_path / ".Junk")
    told = [(one.name, one.role) for one in opened(tmp_path).layout()]
    assert told == [("INBOX", Role.INBOX), ("Junk", Role.SPAM)]
    assert opened(tmp_path).layout()[1].why == "its name means spam"


def test_a_drop_that_is_not_configured_is_named() -> None:
    account = Account(ANNA, "corporate", None, ANNA, reader="drop", drop="elsewhere")
    with pytest.raises(BadInputError, match="elsewhere") as caught:
        open_mailbox(account, FACTS, ReaderParts(timeout_s=1))
    assert "[drops.elsewhere]" in caught.value.remedy


def test_what_may_not_be_read_needs_a_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object) -> object:
        raise PermissionError(13, "Permission denied", "/var/mail")

    # Tests may run as root, for whom nothing is forbidden.
    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(MailboxLockedError, match="/var/mail may not be read"):
        opened(tmp_path, "eml").look([copy()])


def test_a_file_that_cannot_be_opened_leaves_the_others_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = put(maildir(tmp_path) / "new" / "bad", letter(2))
    put(tmp_path / "new" / "good", letter(1))
    real = os.open

    def some(path: str, flags: int) -> int:
        if path == str(bad):
            raise PermissionError(13, "Permission denied", str(bad))
        return real(path, flags)

    monkeypatch.setattr(os, "open", some)
    with pytest.raises(PartlyReadError, match="1 files cannot be opened") as caught:
        opened(tmp_path).look([copy(1), copy(2)])
    assert [one.message_id for one in caught.value.partial] == ["<copy1@news.example>"]
    assert stat.S_ISREG(bad.stat().st_mode)
