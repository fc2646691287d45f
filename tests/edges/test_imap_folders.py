"""Which folder is what, at every provider and in several languages."""

import pytest

from monitor.core.campaigns import Role
from monitor.core.seeds import ProviderFacts
from monitor.mailboxes.folders import MAX_FOLDERS, Listing, decode_name, places, sights
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


def test_folders_of_others_are_never_searched_and_a_prefix_is_no_part_of_a_name(
    facts: dict[str, ProviderFacts],
) -> None:
    """RFC 2342: one's own folders may begin with "INBOX.", those of others with a prefix too."""
    listed = [
        folder("INBOX.Junk E-mail", delimiter="."),
        folder("INBOX.Unerw&APw-nscht", delimiter="."),
        folder("user.boss.Junk", delimiter="."),
        folder("shared.Spam", "\\Junk", delimiter="."),
    ]
    listing = Listing(listed, own=[b"INBOX."], foreign=[b"user.", b"shared.", b""])

    assert {place.name: place.role for place in places(listing, NOBODY)} == {
        "INBOX": Role.INBOX,
        "INBOX.Junk E-mail": Role.SPAM,
        "INBOX.Unerwünscht": Role.SPAM,
    }


def test_a_provider_s_whole_name_is_known_below_a_prefix(
    facts: dict[str, ProviderFacts],
) -> None:
    listing = Listing([folder("INBOX.[Gmail]/Bin")], own=[b"INBOX."])

    assert [place.role for place in places(listing, facts["gmail"])] == [Role.INBOX, Role.TRASH]


def test_a_folder_within_the_spam_folder_holds_spam() -> None:
    found = roles(
        NOBODY,
        folder("Unsolicited", "\\Junk"),
        folder("Unsolicited/2026"),
        folder("Unsolicited/2026/March"),
        folder("Sent"),
        folder("Sent/2026"),
        folder("[Mail]", "\\Noselect"),
        folder("[Mail]/Brand"),
        folder("INBOX/Brand"),
    )

    assert found == {
        "INBOX": Role.INBOX,
        "Unsolicited": Role.SPAM,
        "Unsolicited/2026": Role.SPAM,
        "Unsolicited/2026/March": Role.SPAM,
        "[Mail]/Brand": Role.OTHER,
        "INBOX/Brand": Role.OTHER,
    }


@pytest.mark.parametrize("name", ["Courrier indésirable", "Courrier ind&AOk-sirable", "迷惑メール"])
def test_a_name_may_come_in_utf_8_or_in_modified_utf_7(name: str) -> None:
    (_, found) = places(Listing([folder(name)]), NOBODY)

    assert (found.raw, found.role) == (name.encode(), Role.SPAM)


def test_an_ampersand_in_utf_8_is_an_ampersand() -> None:
    assert decode_name("Müll & Mehr -".encode()) == "Müll & Mehr -"
    assert decode_name(b"A&-B &bad") == "A&B &bad"


def test_every_folder_is_told_with_its_role_and_the_reason(
    facts: dict[str, ProviderFacts],
) -> None:
    listing = Listing(
        [
            folder("INBOX"),
            folder("Werbung", "\\Junk"),
            folder("Bulk"),
            folder("Corbeille"),
            folder("Werbung/Alt"),
            folder("Sent"),
            folder("Archive", "\\Archive"),
            folder("Brand"),
            folder("All", "\\All"),
            folder("~boss/INBOX"),
        ],
        foreign=[b"~boss/"],
    )

    assert [(s.name, s.role, s.why) for s in sights(listing, facts["yahoo"])] == [
        ("INBOX", Role.INBOX, "it is the inbox"),
        ("Bulk", Role.SPAM, "its name is one of Yahoo's names for spam"),
        ("Werbung", Role.SPAM, "the server marks it \\Junk"),
        ("Werbung/Alt", Role.SPAM, "it lies within Werbung, and the server marks that \\Junk"),
        ("Corbeille", Role.TRASH, "its name is one of Yahoo's names for trash"),
        ("Archive", Role.OTHER, "the server marks it \\Archive"),
        ("Brand", Role.OTHER, "nothing tells what it is for: a rule may file mail into it"),
        ("All", None, "the server marks it \\All: it shows mail that lies elsewhere"),
        ("Sent", None, "its name means drafts, sent mail or all mail"),
        ("~boss/INBOX", None, "the server says that it is shared, or another user's"),
    ]


def test_an_inbox_that_is_not_listed_is_told_all_the_same() -> None:
    assert [s.name for s in sights(Listing([]), NOBODY)] == ["INBOX"]
