"""The table of known SMTP replies: ours, and the operator's own rows before them."""

from pathlib import Path

from monitor.evidence.smtp_replies import read
from monitor.wiring.replies import load_replies

OWN = """
[[source]]
name = "Corp"
page = "https://corp.example/mail"
replies = [["policy", "[cs01]", "Our own words."]]
"""


def test_our_table_is_found_and_fits() -> None:
    assert read("550 5.7.1 [CS01] Message rejected", load_replies()).source == "Apple"


def test_an_operators_own_rows_come_before_ours(tmp_path: Path) -> None:
    (tmp_path / "replies.toml").write_text(OWN, "utf-8")

    found = load_replies(tmp_path)
    assert read("550 5.7.1 [CS01] Message rejected", found).source == "Corp"
    assert len(found) == len(load_replies()) + 1


def test_a_folder_without_a_table_changes_nothing(tmp_path: Path) -> None:
    assert load_replies(tmp_path) == load_replies()
