"""Read a list of recipients as counts of domains. Addresses are looked at, and never kept."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from monitor.core.addresses import AddressError, checked_host
from monitor.core.errors import BadInputError
from monitor.core.seedrow import plain

MAX_LINE = 20_000  # characters
MAX_ROWS = 5_000_000
MAX_DOMAINS = 200_000
MAX_COUNT = 1_000_000_000  # recipients of one domain
SHOWN = 5  # lines that are named, where some cannot be read

_ADDRESS = frozenset(
    {"address", "email", "emailaddress", "mail", "recipient", "to", "subscriberemail"}
)
_DOMAIN = frozenset({"domain", "host", "maildomain", "emaildomain"})
_COUNT = frozenset({"count", "n", "number", "recipients", "addresses", "total"})


@dataclass(slots=True)
class Audience:
    """Recipients by domain, and how many lines told none."""

    domains: Counter[str] = field(default_factory=Counter)
    skipped: int = 0
    first_skipped: list[int] = field(default_factory=list)  # line numbers from 1

    @property
    def recipients(self) -> int:
        return self.domains.total()


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where addresses stand, or domains and their counts."""

    at: int
    count: int | None = None
    is_header: bool = True


def read_audience(lines: Iterable[str], *, name: str) -> Audience:
    """Count the recipients of each domain in a CSV file of addresses, or of domain and count.

    Commas, semicolons and tabs separate. A header names the columns; without one, the first
    row tells them apart. Lines that name nobody are counted and left out. The same address
    twice counts twice: none is kept, so none can be known again.

    Args:
        lines: of the file; `bounded_lines` keeps each of them short.
        name: of the file, for errors. No error shows an address.
    Raises:
        BadInputError: no column of addresses or domains, nobody in it, too many rows or
            domains, or quotes that cannot be read.
    """
    rows = _rows(lines, name)
    first = next(rows, None)
    columns = _columns(first[1]) if first else None
    if first is None or columns is None:
        remedy = "Begin the file with a row of names: address, or domain,count."
        raise BadInputError("audience", name, "has no column of addresses", remedy=remedy)
    found = Audience()
    hosts: dict[str, str] = {}
    if not columns.is_header:
        _take(found, first, columns, hosts)
    for row in rows:
        _take(found, row, columns, hosts)
        if len(found.domains) > MAX_DOMAINS:
            raise _too_many(name, f"more than {MAX_DOMAINS} domains")
    if not found.recipients:
        remedy = "Check that its lines hold addresses as name@example.com, or domains and counts."
        raise BadInputError("audience", name, "names no recipient", remedy=remedy)
    return found


def checked_counts(counts: Mapping[object, object]) -> Audience:
    """Return counts of domains that came from outside, as a mapping.

    Raises:
        BadInputError: what is no domain, no count, or too much.
    """
    if len(counts) > MAX_DOMAINS:
        raise _too_many("domains", f"more than {MAX_DOMAINS} domains")
    found = Audience()
    for domain, count in counts.items():
        host = _host(str(domain))
        if not host:
            remedy = "Write domains as example.com, with the number of recipients of each."
            shown = str(domain).rpartition("@")[2]
            raise BadInputError("domains", shown, "is no domain", remedy=remedy)
        if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= MAX_COUNT:
            remedy = f"Write a whole number up to {MAX_COUNT}."
            raise BadInputError(f"domains.{host}", str(count), "is no count", remedy=remedy)
        found.domains[host] += count
    if not found.recipients:
        remedy = "Give the recipients of each domain."
        raise BadInputError("domains", "", "name no recipient", remedy=remedy)
    return found


def bounded_lines(chunks: Iterable[str], *, name: str) -> Iterator[str]:
    """Pass lines on, none longer than MAX_LINE and no NUL in any.

    Args:
        chunks: lines, or pieces of lines of at most MAX_LINE + 1 characters.
    Raises:
        BadInputError: a longer line, or a NUL.
    """
    for chunk in chunks:
        if len(chunk) > MAX_LINE:
            problem, remedy = "has a line that is too long", f"Keep lines below {MAX_LINE}."
            raise BadInputError("audience", name, problem, remedy=remedy)
        if "\0" in chunk:
            remedy = "Export it as CSV (UTF-8)."
            raise BadInputError("audience", name, "is not a text file", remedy=remedy)
        yield chunk


def _rows(lines: Iterable[str], name: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (line, cells) of each row that is not empty."""
    texts = iter(lines)
    head = next((line for line in texts if line.strip()), "")
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(_chained(head, texts), delimiter=delimiter)
    try:
        for number, cells in enumerate(reader):
            if number >= MAX_ROWS:
                raise _too_many(name, f"more than {MAX_ROWS} rows")
            if any(cell.strip() for cell in cells):
                yield reader.line_num, [plain(cell) for cell in cells]
    except csv.Error as error:
        problem = f"cannot be read at line {reader.line_num} ({error})"
        raise BadInputError("audience", name, problem, remedy="Check its quotes.") from error


def _chained(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _columns(cells: Sequence[str]) -> _Columns | None:
    names = ["".join(c for c in cell.lower() if c.isalnum()) for cell in cells]
    for at, name in enumerate(names):
        if name in _ADDRESS and "@" not in cells[at]:
            return _Columns(at)
    for at, name in enumerate(names):
        if name in _DOMAIN:
            counts = [n for n, other in enumerate(names) if other in _COUNT]
            return _Columns(at, counts[0]) if counts else None
    return _without_header(cells)


def _without_header(cells: Sequence[str]) -> _Columns | None:
    addresses = [at for at, cell in enumerate(cells) if _domain_of(cell)]
    if addresses:
        return _Columns(addresses[0], is_header=False)
    if len(cells) == 2 and "." in cells[0] and _host(cells[0]) and _number(cells[1]) is not None:
        return _Columns(0, 1, is_header=False)
    return None


def _take(
    found: Audience, row: tuple[int, list[str]], columns: _Columns, hosts: dict[str, str]
) -> None:
    line, cells = row
    cell = cells[columns.at] if columns.at < len(cells) else ""
    named = cell if columns.count is not None else _domain_of(cell)
    host = hosts.get(named)
    if host is None:
        host = _host(named)
        if len(hosts) < MAX_DOMAINS:
            hosts[named] = host
    count = 1 if columns.count is None else _count(cells, columns.count)
    if not host or count is None:
        found.skipped += 1
        if len(found.first_skipped) < SHOWN:
            found.first_skipped.append(line)
        return
    found.domains[host] += count


def _count(cells: Sequence[str], at: int) -> int | None:
    return _number(cells[at]) if at < len(cells) else None


def _number(cell: str) -> int | None:
    digits = cell.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 10):
        return None
    return int(digits) if int(digits) <= MAX_COUNT else None


def _domain_of(address: str) -> str:
    """What stands behind the @ of "name@example.com" or "Name <name@example.com>"."""
    local, at, domain = address.strip().rstrip(">").rpartition("@")
    return domain.lower() if at and local.strip("<") and "@" not in local else ""


def _host(domain: str) -> str:
    try:
        host = checked_host(domain.strip().rstrip("."))
    except (AddressError, ValueError):
        return ""
    return host if "." in host else ""


def _too_many(name: str, what: str) -> BadInputError:
    return BadInputError("audience", name, f"has {what}", remedy="Give a part of it.")
