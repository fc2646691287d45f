"""One row of a seed list: cells to a seed, or a sentence about the cell to mend."""

import re
from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches

from monitor.core.addresses import AddressError, checked_address, checked_host
from monitor.core.providers import nearest
from monitor.core.seeds import Security, SeedEntry

COLUMNS = (
    "address",
    "provider",
    "region",
    "username",
    "password",
    "host",
    "port",
    "security",
    "reader",
    "tenant",
    "oauth",
    "drop",
)
_LIMITS = {"username": 320, "password": 1024, "region": 64, "tenant": 64, "oauth": 64, "drop": 64}

# A spreadsheet runs a cell that begins so as a formula; a leading apostrophe stops it.
# Cells that already begin with apostrophes get one more, so that reading is exact.
_FORMULA = re.compile(r"'*[=+\-@\t\r]")
_GUARDED = re.compile(r"'+[=+\-@]")


class RowError(Exception):
    """A cell that a person must mend. Its text never holds a password."""


def guarded(cell: str) -> str:
    """Return *cell* so that a spreadsheet shows it and does not run it."""
    return "'" + cell if _FORMULA.match(cell) else cell


def plain(cell: str) -> str:
    """Return the value of a cell as `guarded` or a person wrote it."""
    cell = cell.strip()
    return cell[1:] if _GUARDED.match(cell) else cell


def read_row(
    header: Sequence[str], cells: Sequence[str], known: Mapping[str, Collection[str]]
) -> SeedEntry:
    """Read one row under *header*. `known` restricts `provider` and `reader`, if not empty.

    Raises:
        RowError: names the column, its value and what to write instead.
    """
    if len(cells) > len(header):
        raise RowError(f"{len(cells)} cells, but the header names {len(header)}. Check the quotes.")
    row = _Row(header, cells)
    row.check_texts()
    reader = row.word("reader", known["reader"]) or "imap"
    row.check_access(reader)
    return SeedEntry(
        address=row.address(),
        provider=row.word("provider", known["provider"]),
        region=row["region"],
        username=row["username"],
        password=row["password"],
        host=row.host(),
        port=row.port(),
        security=row.security(),
        reader=reader,
        tenant=row["tenant"],
        oauth=row["oauth"],
        drop=row["drop"],
    )


class _Row:
    """The cells of one row by column."""

    def __init__(self, header: Sequence[str], cells: Sequence[str]) -> None:
        named = dict(zip(header, cells, strict=False))
        self._cells = {column: plain(named.get(column, "")) for column in COLUMNS}
        self._cells["password"] = named.get("password", "")  # as it stands, to the blank
        # A password with a separator and without quotes spills to its right.
        at = header.index("password") if self._cells["password"] else len(header)
        self._secret = frozenset(header[at:])

    def __getitem__(self, column: str) -> str:
        return self._cells[column]

    def error(self, column: str, problem: str) -> RowError:
        value = self._cells[column]
        hide = column in self._secret and not _is_slip(column, value)
        shown = "(value not shown)" if hide else repr(value[:80])
        return RowError(f"{column}: {shown} {problem}")

    def check_texts(self) -> None:
        for column, value in self._cells.items():
            if len(value) > _LIMITS.get(column, 1024):
                raise self.error(column, "is too long. Shorten it.")
            if not value.isprintable():
                raise self.error(column, "has control characters. Remove them.")

    def check_access(self, reader: str) -> None:
        """Refuse a reader that nothing would let in."""
        is_graph = reader.endswith("+graph") or (reader == "graph" and not self["oauth"])
        if is_graph and not self["tenant"]:
            raise self.error(
                "tenant", f"is empty, but {reader} needs one. Name a configured tenant."
            )
        if reader == "gmail" and not self["oauth"]:
            raise self.error("oauth", f"is empty, but {reader} needs one. Name a configured oauth.")
        if reader == "drop" and not self["drop"]:
            raise self.error("drop", f"is empty, but {reader} needs one. Name a configured drop.")

    def address(self) -> str:
        try:
            return checked_address(self["address"])
        except AddressError as error:
            raise self.error("address", str(error)) from error

    def host(self) -> str:
        try:
            return checked_host(self["host"]) if self["host"] else ""
        except AddressError as error:
            raise self.error("host", str(error)) from error

    def word(self, column: str, known: Collection[str]) -> str:
        word = self[column].lower()
        if word and not re.fullmatch(r"[a-z0-9][a-z0-9_+.-]{0,31}", word):
            raise self.error(column, "is not a plain word. Use letters and digits.")
        if word and known and word not in known:
            raise self.error(column, f"is not known. {nearest(word, known)}")
        return word

    def port(self) -> int:
        value = self["port"]
        if value and not (re.fullmatch(r"[0-9]{1,5}", value) and 0 < int(value) < 65536):
            raise self.error("port", "is not a port. Write a number from 1 to 65535.")
        return int(value or "0")

    def security(self) -> Security | None:
        value = self["security"].lower()
        if value and value not in set(Security):
            raise self.error("security", f"is not known. {nearest(value, list(Security))}")
        return Security(value) if value else None


def _is_slip(column: str, value: str) -> bool:
    """Is *value* plainly meant for *column*, so that it can be no piece of a password?"""
    if column == "port":
        return value.isdigit()
    return column == "security" and bool(get_close_matches(value, list(Security)))
