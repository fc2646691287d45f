"""The Received chain: which machines a message passed, how long each step took, and
where it came in from outside.

A receiver's own fields are believed because of where they stand, so the boundary is told
from the hops: it is the one that took the message from a host that is not the receiver's.
"""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from monitor.evidence.fields import HeaderField, without_comments

MAX_HOPS = 100
MAX_VALUE = 2 * 1024  # characters of one Received field

_FROM = re.compile(r"\s{0,20}from\s{1,20}(\S{1,255})", re.IGNORECASE)
_BY = re.compile(r"(?:^|\s)by\s{1,20}(\S{1,255})", re.IGNORECASE)
_WITH = re.compile(r"\swith\s{1,20}(\S{1,30})", re.IGNORECASE)
_REVERSE = re.compile(r"\(\s{0,5}(?:EHLO |HELO )?([A-Za-z0-9_.-]{1,255})\.?\s{0,5}\[")
_IP = re.compile(r"[\[(](?:IPv6:)?([0-9A-Fa-f.:]{2,45})[\])]")

# Second-level labels under which names are registered, as in example.co.uk.
_PUBLIC_SECOND = frozenset({"ac", "co", "com", "edu", "gov", "gouv", "net", "or", "org"})

_FETCHED = frozenset({"POP3", "IMAP"})  # by the mailbox's owner, from the receiver

_EXAMPLES = tuple(
    ipaddress.ip_network(block)
    for block in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
)

# Hosts by which a family of receivers takes mail from outside, where their names tell.
EDGES: dict[str, tuple[str, ...]] = {
    "google": ("mx.google.com",),
    "microsoft": (
        "mail.protection.outlook.com",
        "olc.protection.outlook.com",
        "mail.protection.office365.us",
        "mail.protection.partner.outlook.cn",
    ),
}
DOMAINS: dict[str, tuple[str, ...]] = {
    "google": ("google.com", "gmail.com", "googlemail.com"),
    "microsoft": (
        *("outlook.com", "office365.com", "hotmail.com", "microsoft.com", "exchangelabs.com"),
        *("office365.us", "outlook.cn"),
    ),
    "yahoo": ("yahoo.com", "yahoodns.net", "aol.com"),
    "icloud": ("icloud.com", "me.com", "apple.com"),
    "gmx": ("gmx.net", "gmx.com", "gmx.de", "web.de"),
    "proton": ("protonmail.ch", "protonmail.com", "proton.me"),
    "fastmail": ("messagingengine.com", "fastmail.com"),
    "zoho": ("zoho.com", "zohomail.com", "zoho.eu", "zohomail.eu", "zoho.in", "zohomail.in"),
}
# Apple's machines that give no domain, as p00-icloudmta-asmtp-1 and p44-mailgateway-smtp-7.
_APPLES = re.compile(r"p\d{1,4}-(?:icloudmta|mailgateway)-[a-z0-9-]{1,200}")
# Names of nobody's: they do not tell whose a machine is.
_PRIVATE = ("internal", "local", "localdomain", "lan", "home.arpa")
# Such names that a family uses within, behind machines with names of its own.
_WITHIN = {"fastmail": ("internal",)}


@dataclass(frozen=True, slots=True)
class Hop:
    """One Received field. Empty strings and None stand for what it did not say."""

    index: int  # of the field in the header block
    from_name: str  # as the client called itself
    reverse: str  # the client's name as the server found it in the DNS
    from_ip: str
    by: str
    at: datetime | None
    protocol: str = ""  # upper case: ESMTPS, LMTP, ...


def read(fields: Sequence[HeaderField]) -> list[Hop]:
    """Read the Received fields, topmost (latest) first; at most MAX_HOPS. Never raises."""
    found = [(i, field.value) for i, field in enumerate(fields) if field.key == "received"]
    return [_hop(index, value[:MAX_VALUE]) for index, value in found[:MAX_HOPS]]


def told(hops: Sequence[Hop]) -> list[dict[str, object]]:
    """Return *hops* in the order of travel, each with the seconds since the one before."""
    story: list[dict[str, object]] = []
    before: datetime | None = None
    for hop in reversed(hops):
        delay = (hop.at - before).total_seconds() if hop.at and before else None
        at = hop.at.isoformat().replace("+00:00", "Z") if hop.at else None
        story.append(
            {"from": hop.from_name or None, "by": hop.by or None, "at": at, "delay_s": delay}
        )
        before = hop.at or before
    return story


def transit_s(hops: Sequence[Hop]) -> float | None:
    """Seconds between the earliest time stamp and the topmost; None without any."""
    times = [hop.at for hop in hops if hop.at is not None]
    return (times[0] - min(times)).total_seconds() if times else None


def family(hops: Sequence[Hop]) -> str | None:
    """Name the family of receivers whose machine wrote the topmost telling `by`.

    Below a hop that took the message from the Internet there are only the sender's.
    """
    for hop in hops:
        kind = family_of_host(hop.by)
        if kind is not None or names_its_host(hop):
            return kind
        if hop.protocol not in _FETCHED and any(map(_is_public, (hop.from_ip, hop.from_name))):
            return None
    return None


def names_its_host(hop: Hop) -> bool:
    """Does the hop say by name, not by address, whose machine took the message?"""
    return "." in hop.by and not is_address(hop.by) and not is_below(hop.by, _PRIVATE)


def family_of_host(host: str) -> str | None:
    """Name the family of receivers that *host* belongs to, if it is a known one."""
    name = host.lower().rstrip(".")
    if _APPLES.fullmatch(name):
        return "icloud"
    return next((kind for kind, domains in DOMAINS.items() if is_below(name, domains)), None)


def boundary(hops: Sequence[Hop]) -> Hop | None:
    """Return the hop that took the message from outside; None without any hop.

    Where a family's machines say by name that they face the outside, these decide.
    Otherwise it is the topmost hop that names a foreign host as its source; if none does,
    the lowest, so that nothing of the message itself is believed.
    """
    kind = family(hops)
    for hop in hops:
        if kind is not None and is_below(hop.by, EDGES.get(kind, ())) and hop.from_name:
            return hop
    inside = {*DOMAINS.get(kind, ()), *_WITHIN.get(kind, ())} if kind else set()
    for hop in hops:
        inside |= {_organisation(hop.by)} - {""}
        if _is_foreign(hop, inside):
            return hop
    return hops[-1] if hops else None


def _hop(index: int, value: str) -> Hop:
    bare = without_comments(value)
    by = _BY.search(bare)
    source = value[: _start_of_by(value)]
    name, reverse, address = _FROM.match(bare), _REVERSE.search(source), _IP.search(source)
    protocol = _WITH.search(bare)
    return Hop(
        index=index,
        from_name=_host(name),
        reverse="" if reverse is None or reverse[1].lower() == "unknown" else _host(reverse),
        from_ip=address[1] if address else "",
        by=_host(by),
        at=moment(bare.rpartition(";")[2]),
        protocol=protocol[1].upper() if protocol else "",
    )


def _start_of_by(value: str) -> int:
    match = _BY.search(value)
    return match.start() if match else len(value)


def _host(match: re.Match[str] | None) -> str:
    return match[1].strip("[]();,<>").rstrip(".").lower() if match else ""


def moment(text: str) -> datetime | None:
    """Read a date as of RFC 5322, in UTC; None if it is none."""
    try:
        at = parsedate_to_datetime(text.strip()[:100])
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        # Whatever the library trips over, in its various versions, is no date.
        return None


def _is_foreign(hop: Hop, inside: set[str]) -> bool:
    """Did the hop take the message from a host outside of the domains *inside*?

    A name that only the client claims counts as inside for private addresses alone. By
    LMTP (RFC 2033) servers hand over to their own mailboxes, not across the Internet.
    """
    if "LMTP" in hop.protocol and not _is_public(hop.from_ip):
        return False
    name = hop.reverse or hop.from_name
    if not name or hop.protocol in _FETCHED:
        return False
    if is_address(name):
        return _is_public(name)
    if not is_below(name, inside):
        return "." in name or _is_public(hop.from_ip)
    return not hop.reverse and _is_public(hop.from_ip)


def is_below(host: str, domains: Iterable[str]) -> bool:
    """Is *host* one of *domains*, or a name below one?"""
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)


def is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.removeprefix("ipv6:"))
    except ValueError:
        return False
    return True


def _is_public(address: str) -> bool:
    """Is *address* of the Internet? Those of documentation (RFC 5737) stand for such ones."""
    try:
        parsed = ipaddress.ip_address(address.removeprefix("ipv6:"))
    except ValueError:
        return False
    return parsed.is_global or any(parsed in block for block in _EXAMPLES)


def _organisation(host: str) -> str:
    """The domain that a host most likely belongs to; "" if its name tells none."""
    labels = host.split(".")
    if len(labels) < 2 or is_address(host):
        return ""
    is_deep = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _PUBLIC_SECOND
    return ".".join(labels[-3 if is_deep else -2 :])
