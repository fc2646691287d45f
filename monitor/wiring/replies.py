"""The table of known SMTP replies, from seedlists/replies.toml."""

from functools import cache
from pathlib import Path

from monitor.evidence.smtp_replies import Known, read_table
from monitor.rendering import data_dir


@cache
def load_replies(override: Path | None = None) -> tuple[Known, ...]:
    """Return the rows; those of *override*/replies.toml come before ours.

    Raises:
        BadInputError: a table cannot be read.
    """
    folders = [data_dir("seedlists")] if override is None else [override, data_dir("seedlists")]
    tables = [folder / "replies.toml" for folder in folders]
    return tuple(
        row for path in tables if path.is_file() for row in read_table(path.read_text("utf-8"))
    )
