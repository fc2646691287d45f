"""Which folder is what, at every provider and in several languages."""

import pytest

from monitor.core.campaigns import Role
from monitor.core.seeds import ProviderFacts
from monitor.mailboxes.folders import MAX_FOLDERS, Listing, places
from monitor.mailboxes.imap_wire import Listed


def folder(name: str, *attributes: str, delimiter: str = "/") -> Listed:
    return Listed(name.encode(), frozenset(a.lower() for a in attributes), delimiter)


def roles(facts: ProviderFacts, *folders: Listed) -> dict[str, Role]:
    return {place.name: place.role for place in places(Listing(folders), facts)}


NOBODY = ProviderFacts("x", "X", (), None, {})


def test_special_use_decides_whatever_the_name() -> None:
    found = roles(NOBODY, folder("Werbung", "\\Junk"), folder("Spam", "\\Trash"))

    assert found == {"INBOX": Role.INBOX, "Werbung": Role.SPAM, "Spam": Role.TRASH}


def test_the_inbox_is_there_even_if_the_server_lists_nothing() -> None:
    assert roles(NOBODY) == {"INBOX": Role.INBOX}
    assert roles(NOBODY, folder("inbox")) == {"INBOX": Role.INBOX}


@pytest.mark.parametrize(
    ("provider", "name", "role"),
    [
        ("gmail", "[Google Mail]/Papierkorb", Role.TRASH),
        ("gmail", "[Gmail]/Spam", Role.SPAM),
        ("outlook", "Junk", Role.SPAM),
        ("outlook", "Deleted", Role.TRASH),
        ("microsoft365", "Courrier ind&AOk-sirable", Role.SPAM),
        ("microsoft365", "Gel&APY-schte Elemente", Role.TRASH),
        ("yahoo", "Bulk", Role.SPAM),
        ("yahoo", "Bulk Mail", Role.SPAM),
        ("icloud", "Junk", Role.SPAM),
        ("icloud", "Deleted Messages", Role.TRASH),
        ("gmx", "Spamverdacht", Role.SPAM),
        ("zoho", "Newsletter", Role.TAB),
        ("corporate", "INBOX/Quarant&AOQ-ne", Role.QUARANTINE),
    ],
)
def test_a_provider_s_own_name_decides_next(
    facts: dict[str, ProviderFacts], provider: str, name: str, role: Role
) -> None:
    (_, found) = roles(facts[provider], folder(name)).values()

    assert found is role


@pytest.mark.parametrize("name", ["SPAM", "junk mail", "Correo no deseado", "Posta indesiderata"])
def test_an_unknown_server_s_spam_folder_is_known_by_its_name(name: str) -> None:
    assert roles(NOBODY, folder(name))[name] is Role.SPAM


def test_the_last_part_of_a_name_counts_by_the_server_s_own_delimiter() -> None:
    assert roles(NOBODY, folder("INBOX.Spam", delimiter="."))["INBOX.Spam"] is Role.SPAM
    assert roles(NOBODY, folder("INBOX.Spam"))["INBOX.Spam"] is Role.OTHER


def test_a_folder_that_a_rule_may_file_into_is_looked_at_last() -> None:
    found = roles(NOBODY, folder("Archive", "\\Archive"), folder("Brand"), folder("Junk"))

    assert list(found.items()) == [
        ("INBOX", Role.INBOX),
        ("Junk", Role.SPAM),
        ("Archive", Role.OTHER),
        ("Brand", Role.OTHER),
    ]


@pytest.mark.parametrize(
    "listed",
    [
        folder("[Gmail]", "\\Noselect"),
        folder("[Gmail]/Alle Nachrichten", "\\All"),
        folder("[Gmail]/Markiert", "\\Flagged"),
        folder("[Gmail]/Wichtig", "\\Important"),
        folder("Entw", "\\Drafts"),
        folder("Gesandt", "\\Sent"),
        folder("Gone", "\\NonExistent"),
        folder("All Mail"),
        folder("Sent Messages"),
        folder("&AMk-l&AOk-ments envoy&AOk-s"),
        folder("evil\r\nX LOGOUT"),
        folder("x" * 501),
    ],
    ids=lambda listed: listed.raw[:20].decode(),
)
def test_what_shows_mail_twice_or_holds_the_owner_s_own_is_never_searched(listed: Listed) -> None:
    assert roles(NOBODY, listed) == {"INBOX": Role.INBOX}


def test_a_mailbox_of_a_thousand_folders_is_looked_at_in_its_main_ones() -> None:
    many = [folder(f"f{n:04d}") for n in range(1000)]
    found = places(Listing([*many, folder("Spam")]), NOBODY)

    assert len(found) == MAX_FOLDERS
    assert [place.name for place in found[:3]] == ["INBOX", "Spam", "f0000"]
