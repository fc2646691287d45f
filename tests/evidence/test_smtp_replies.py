"""What servers print when they refuse, and what we make of it."""

from pathlib import Path

import pytest

from monitor.core.errors import BadInputError
from monitor.evidence import enhanced
from monitor.evidence.smtp_replies import Kind, read, read_table

ROOT = Path(__file__).parents[2]
KNOWN = read_table((ROOT / "seedlists" / "replies.toml").read_text("utf-8"))


SAMPLES = [
    tuple(line.split("\t"))
    for line in (Path(__file__).parent / "messages" / "replies.tsv").read_text("utf-8").splitlines()
    if not line.startswith("#")
]


@pytest.mark.parametrize(("provider", "kind", "reply"), SAMPLES)
def test_known_replies_have_a_kind(provider: str, kind: str, reply: str) -> None:
    found = read(reply.replace("\\n", "\n"), KNOWN)

    assert (found.provider or "-", found.kind) == (provider, kind)


def test_a_known_reply_names_whose_words_it_is_and_where_they_are_explained() -> None:
    found = read("550 5.7.1 [CS01] Message rejected due to local policy.", KNOWN)

    assert (found.source, found.code, found.status) == ("Apple", 550, "5.7.1")
    assert found.page == "https://support.apple.com/en-us/102322"
    assert "which it does not name" in (found.meaning or "")


def test_anothers_server_with_googles_code_is_not_taken_for_google() -> None:
    """5.7.26 is registered: other servers use it too."""
    found = read("550 5.7.26 Multiple authentication checks failed", KNOWN)

    assert (found.provider, found.kind) == (None, "authentication")


def test_every_row_is_complete_and_recognises_its_own_words() -> None:
    for row in KNOWN:
        text = f"550 {' '.join([*row.words, *row.one_of[:1]])}"
        found = read(text, [row])
        assert found.source == row.source, row
        assert row.page.startswith("https://")
        assert row.meaning.endswith(".")
        assert row.kind is not Kind.UNKNOWN or row.is_last


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("550 5.1.1 no", "5.1.1"),
        ("(#5.5.0)", "5.5.0"),
        ("smtp; 452-4.2.2 full", "4.2.2"),
        ("421 4.7.0 [TSS04] deferred - 4.16.55.1; see", "4.7.0"),
        ("5.7.513", "5.7.513"),
        ("192.0.2.5.7.1", None),
        ("10.5.3.2", None),
        ("see 2.5.1.1", None),
        ("5.1", None),
        ("6.1.1", None),
        ("15.1.1", None),
    ],
)
def test_an_enhanced_code_is_found_and_an_address_is_none(text: str, code: str | None) -> None:
    found = enhanced.find(text)

    assert (found.code if found else None) == code


def test_a_code_that_nobody_registered_has_no_meaning() -> None:
    found = enhanced.find("550 5.9.9 what")

    assert found is not None
    assert found.meaning is None


@pytest.mark.parametrize("length", [10, 1_000_000])
def test_a_reply_of_any_length_is_read(length: int) -> None:
    assert read("550 5.1.1 " + "a " * length, KNOWN).kind is Kind.NO_SUCH_USER


@pytest.mark.parametrize(
    "text",
    [
        "source = 5",
        "[[source]]\nname = 'x'",
        "[[source]]\nname='x'\npage='p'\nreplies=[['what','w','m']]",
        "[[source]]\nname='x'\npage='p'\nreplies=[['policy']]",
        "[[source]\n",
    ],
)
def test_a_table_that_is_none_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(BadInputError, match=r"replies\.toml"):
        read_table(text)
