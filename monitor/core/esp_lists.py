"""Seed lists in the forms that mail services import, and the lists that they export.

What is written holds addresses only: a service need not know more of a seed than of any
other recipient.
"""

import csv
import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from monitor.core.addresses import AddressError, checked_address
from monitor.core.errors import BadInputError
from monitor.core.seedlist import MAX_PROBLEMS, MAX_ROWS, Problem, csv_rows, decoded, no_csv
from monitor.core.seedrow import guarded, plain


@dataclass(frozen=True, slots=True)
class Shape:
    """How a service wants a list: its columns, the first of which is the address."""

    columns: tuple[str, ...]
    rest: tuple[str, ...] = ()  # the cells right of the address, the same for every seed
    page: str = ""  # the vendor's, that says so


SHAPES: Mapping[str, Shape] = {
    "sendgrid": Shape(
        ("email",),
        page="https://www.twilio.com/docs/sendgrid/ui/managing-contacts/formatting-a-csv",
    ),
    "mailgun": Shape(
        ("address",),
        page="https://documentation.mailgun.com/docs/mailgun/user-manual/sending-messages/mailing-lists",
    ),
    # Postmark keeps no lists: this is the field of its bulk interface, for whoever calls that.
    "postmark": Shape(("To",), page="https://postmarkapp.com/developer/api/bulk-email"),
    "ses": Shape(
        ("emailAddress", "unsubscribeAll", "attributesData"),
        ("false", ""),
        page="https://docs.aws.amazon.com/ses/latest/dg/sending-email-list-management.html",
    ),
    "sparkpost": Shape(
        ("email", "name", "return_path", "metadata", "substitution_data", "tags"),
        ("", "", "", "", ""),
        page="https://support.sparkpost.com/momentum/4/web-ui",
    ),
    "brevo": Shape(
        ("EMAIL",),
        page="https://help.brevo.com/hc/en-us/articles/208729849-Create-a-file-to-import-your-contacts",
    ),
    "resend": Shape(
        ("email", "unsubscribed"),
        ("false",),
        page="https://resend.com/docs/dashboard/audiences/contacts",
    ),
    "mailchimp": Shape(
        ("Email Address",),
        page="https://mailchimp.com/help/format-guidelines-for-your-import-file/",
    ),
    "plain": Shape(("address",)),
}

# What services call the column, without case, blanks and signs; the likelier ones first.
_ADDRESS_COLUMNS = (
    *("emailaddress", "email", "address", "recipient", "recipientemail", "to"),
    *("subscriberemail", "contactemail", "seedaddress", "mail", "emailadresse", "adresseemail"),
)
_MAX_COLUMNS = 300
_SIGNS = re.compile(r"[^a-z0-9]")


def shuffled(addresses: Iterable[str], *, name: str, version: int) -> list[str]:
    """Return *addresses* in an order that looks drawn by lot and is the same for a version.

    Seeds that stand together in a list are often of one provider; a service that sends in
    the list's order would send them as one burst.
    """

    def lot(address: str) -> bytes:
        return hashlib.sha256(f"{name}\n{version}\n{address}".encode()).digest()

    return sorted(addresses, key=lot)


def write_esp_list(addresses: Iterable[str], shape: Shape) -> str:
    """Return *addresses* as a CSV file of this shape.

    Raises:
        BadInputError: an address that a spreadsheet would run as a formula. The apostrophe
            that stops a spreadsheet would make another address of it at the service.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(shape.columns)
    for address in addresses:
        if guarded(address) != address:
            raise BadInputError(
                "address",
                address,
                "would be run as a formula by a spreadsheet",
                remedy="Use a mailbox whose address begins with a letter or a digit.",
            )
        writer.writerow([address, *shape.rest])
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class EspList:
    """The addresses of a file that a service exported, and what could not be read of it."""

    addresses: tuple[str, ...]  # as they stand there, each once
    column: str  # where they stood, for people
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """What a service's list and ours do not have in common."""

    missing: tuple[str, ...]  # seeds that the service does not have
    extra: tuple[str, ...]  # addresses there that are no seeds of the list


def read_esp_list(data: bytes) -> EspList:
    """Read what a service exported, in any of the shapes. Never raises.

    The column of addresses is found by its name, or else as the one that holds most of
    them; a file without a header row is understood too.
    """
    if (problem := no_csv(data)) is not None:
        return EspList((), "", (problem,))
    rows: list[tuple[int, list[str]]] = []
    problems: list[Problem] = []
    for line, cells in csv_rows(decoded(data)[0]):
        if isinstance(cells, str):
            problems.append(Problem(line, cells))
        elif len(rows) > MAX_ROWS:
            problems.append(Problem(line, f"reading stopped here: at most {MAX_ROWS} rows."))
            break
        else:
            rows.append((line, [plain(cell) for cell in cells[:_MAX_COLUMNS]]))
    if not rows:
        return EspList((), "", (*problems, Problem(0, "there is no row in the file.")))
    return _read(rows, problems)


def difference(ours: Iterable[str], theirs: Iterable[str]) -> Difference:
    """Compare two lists of addresses; case does not count, as no provider lets it."""
    mine = {address.casefold(): address for address in ours}
    there = {address.casefold(): address for address in theirs}
    return Difference(
        missing=tuple(sorted(mine[key] for key in mine.keys() - there.keys())),
        extra=tuple(sorted(there[key] for key in there.keys() - mine.keys())),
    )


def _read(rows: Sequence[tuple[int, list[str]]], problems: list[Problem]) -> EspList:
    header = rows[0][1]
    has_header = not any(_address(cell) for cell in header)
    body = rows[1:] if has_header else rows
    at = _address_column(header if has_header else [], body)
    if at is None:
        remedy = "Export it with a column of addresses, for example: email"
        return EspList((), "", (*problems, Problem(0, f"no column holds addresses. {remedy}")))
    found: dict[str, str] = {}
    for line, cells in body:
        cell = cells[at] if at < len(cells) else ""
        address = _address(cell)
        if address:
            found.setdefault(address.casefold(), address)
        elif len(problems) < MAX_PROBLEMS:
            problems.append(Problem(line, f"{cell[:80]!r} is not a mail address; left out."))
    name = repr(header[at][:80]) if has_header else f"number {at + 1}"
    return EspList(tuple(found.values()), name, tuple(problems))


def _address_column(header: Sequence[str], body: Sequence[tuple[int, list[str]]]) -> int | None:
    names = [_SIGNS.sub("", cell.lower()) for cell in header]
    for known in _ADDRESS_COLUMNS:
        if known in names:
            return names.index(known)
    counts = Counter(at for _, cells in body for at, cell in enumerate(cells) if _address(cell))
    return min(counts, key=lambda at: (-counts[at], at)) if counts else None


def _address(cell: str) -> str:
    try:
        return checked_address(cell) if "@" in cell else ""
    except AddressError:
        return ""
