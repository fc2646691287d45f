"""Read and write a seed list as CSV, telling a person what to mend and where."""

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from monitor.core.providers import nearest
from monitor.core.seedrow import COLUMNS, RowError, guarded, plain, read_row
from monitor.core.seeds import SeedEntry

MAX_BYTES = 10_000_000
MAX_ROWS = 100_000
MAX_PROBLEMS = 100  # nobody reads more, and a hostile file could make millions
_MAX_HEADER_PROBLEMS = 20

# What other tools call the one column that every list has.
_ALIASES = {"seed address": "address", "email": "address", "e-mail": "address"}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one line of a list, and what to do about it."""

    line: int  # counted from 1; 0 for the file as a whole
    message: str


@dataclass(frozen=True, slots=True)
class SeedListFile:
    """What could be read: good rows as entries, and a problem for each other one."""

    entries: tuple[SeedEntry, ...]
    problems: tuple[Problem, ...]
    encoding: str = "utf-8"  # as found, or as assumed: "latin-1"


def read_seed_list(
    data: bytes,
    *,
    providers: Collection[str] = (),
    readers: Collection[str] = (),
) -> SeedListFile:
    """Read a CSV seed list with a header row. Never raises: the file may be anything.

    Commas, semicolons and tabs separate; UTF-8 (with or without byte order mark) and
    Latin-1 are understood. Where *providers* or *readers* are given, others are problems.
    """
    if (problem := no_csv(data)) is not None:
        return SeedListFile((), (problem,))
    text, encoding = decoded(data)
    known = {"provider": providers, "reader": readers}
    entries, problems = _read_text(text, known)
    return SeedListFile(tuple(entries), tuple(problems), encoding)


def write_seed_list(entries: Iterable[SeedEntry]) -> str:
    """Return *entries* as CSV without passwords, safe to open in a spreadsheet."""
    columns = [column for column in COLUMNS if column != "password"]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    for entry in entries:
        writer.writerow([guarded(_cell(entry, column)) for column in columns])
    return out.getvalue()


def no_csv(data: bytes) -> Problem | None:
    """Say why *data* cannot be a CSV file that we read; None if it may be one."""
    if len(data) > MAX_BYTES:
        return Problem(0, f"the file has {len(data)} bytes. Split it below {MAX_BYTES}.")
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        return Problem(line, "a NUL byte: this is not a CSV file. Export it as CSV (UTF-8).")
    return None


def decoded(data: bytes) -> tuple[str, str]:
    """Return a file's text, and how it is encoded: UTF-8, or else taken for Latin-1."""
    try:
        return data.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        return data.decode("latin-1"), "latin-1"


def _read_text(
    text: str, known: Mapping[str, Collection[str]]
) -> tuple[list[SeedEntry], list[Problem]]:
    rows = csv_rows(text)
    line, cells = next(rows, (0, []))
    if not cells:
        return [], [Problem(0, "the list is empty. Write a header row and one seed a line.")]
    if isinstance(cells, str):
        return [], [Problem(line, cells)]
    header, problems = _header(line, cells)
    if "address" not in header:
        return [], problems
    entries, more = _read_rows(rows, header, known)
    if not entries and not problems and not more:
        more.append(Problem(0, "the list has a header but no seed. Add one seed a line."))
    return entries, problems + more


def _read_rows(
    rows: Iterable[tuple[int, list[str] | str]],
    header: list[str],
    known: Mapping[str, Collection[str]],
) -> tuple[list[SeedEntry], list[Problem]]:
    entries: list[SeedEntry] = []
    problems: list[Problem] = []
    seen: dict[str, int] = {}
    for line, cells in rows:
        if len(entries) >= MAX_ROWS or len(problems) >= MAX_PROBLEMS:
            problems.append(Problem(line, f"reading stopped here: {_bounds()}."))
            break
        if isinstance(cells, str):
            problems.append(Problem(line, cells))
            continue
        try:
            entry = read_row(header, cells, known)
            _refuse_duplicate(entry, seen, line)
        except RowError as error:
            problems.append(Problem(line, str(error)))
        else:
            entries.append(entry)
    return entries, problems


def _bounds() -> str:
    return f"at most {MAX_ROWS} seeds and {MAX_PROBLEMS} problems"


def csv_rows(text: str) -> Iterator[tuple[int, list[str] | str]]:
    """Yield (line, cells) of each row that is not empty; a text instead of cells is a problem."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield line, f"the row cannot be read ({error}). Check its quotes; reading stopped here."
            return
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield line, cells


def _delimiter(text: str) -> str:
    """The separator that the header row holds most of; a comma if it holds none."""
    header = next((line for line in io.StringIO(text[:4096]) if line.strip()), "")
    return max(",;\t", key=header.count)


def _header(line: int, cells: Iterable[str]) -> tuple[list[str], list[Problem]]:
    names = [" ".join(plain(cell).lower().split()) for cell in cells]
    names = [_ALIASES.get(name, name) for name in names]
    if "address" not in names:
        # The first row is not shown: in a list without a header it may hold a password.
        remedy = "Begin the file with a header row, for example: address,provider,region"
        return names, [Problem(line, f"column 'address' is missing. {remedy}")]
    problems = [
        Problem(line, f"column {name[:80]!r} is not known. {nearest(name[:80], COLUMNS)}")
        for name in names
        if name not in COLUMNS
    ]
    problems += [
        Problem(line, f"column {name!r} stands twice. Keep one.")
        for name in COLUMNS
        if names.count(name) > 1
    ]
    return names, problems[:_MAX_HEADER_PROBLEMS]


def _refuse_duplicate(entry: SeedEntry, seen: dict[str, int], line: int) -> None:
    first = seen.setdefault(entry.address.casefold(), line)
    if first != line:
        raise RowError(f"address: {entry.address!r} stands on line {first} already. Keep one.")


def _cell(entry: SeedEntry, column: str) -> str:
    value = getattr(entry, column)
    return "" if value in (None, 0) else str(value)
