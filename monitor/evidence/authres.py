"""Authentication-Results (RFC 8601), in the dialects that receivers really write.

Microsoft leaves out the authserv-id and adds `compauth` with a `reason`; Apple writes one
field per method; Google writes its field below its own Received field. Which fields are
believed is decided here: what a sender wrote into the message proves nothing.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from monitor.evidence.fields import HeaderField, segments
from monitor.evidence.hops import Hop, family_of_host, is_below

NAME = "authentication-results"
ARC_NAME = "arc-authentication-results"
MAX_RESULTS = 100
MAX_FIELDS = 20
MAX_VALUE = 4 * 1024  # characters; a receiver's own are far shorter
METHODS = ("spf", "dkim", "dmarc", "arc", "compauth")

_METHOD = re.compile(
    r"\s{0,20}([A-Za-z][A-Za-z0-9-]{0,30})\s{0,5}(?:/\s{0,5}\d{1,3})?\s{0,5}=\s{0,5}([A-Za-z]{1,30})"
)
_REASON = re.compile(r"\breason\s{0,5}=\s{0,5}\"?(\d{3})\b")
_AUTHSERV_ID = re.compile(r"\s{0,20}\"?([A-Za-z0-9_.-]{1,255})\"?(?:\s{1,5}\d{1,3})?\s{0,20}")
_INSTANCE = re.compile(r"\s{0,20}i\s{0,5}=\s{0,5}\d{1,3}\s{0,20}")

# Below its boundary Received, before anything of the message itself, a receiver writes
# these and no others, ending with the field named here; only these receivers do so.
_WRITES_BELOW = {"google": "google.com", "icloud": "icloud.com"}
_LAST = {"google": NAME, "icloud": "received-spf"}
# Milters of Postfix and Sendmail put these right below the server's own Received.
_WITH_MILTERS = frozenset({"proton"})  # of the receivers that we know
_MILTERS = frozenset(
    {NAME, ARC_NAME, "arc-seal", "arc-message-signature", "received-spf"}
    | {"dkim-filter", "dmarc-filter"}
)
_BELOW = frozenset(
    {NAME, "received-spf", "x-icl-score", "x-icl-info", "x-icl-repid", "x-arc-info"}
    | {"x-dmarc-info", "x-dmarc-policy"}
)


@dataclass(frozen=True, slots=True)
class Authentication:
    """What a receiver found; results in lower case, None where it said nothing."""

    spf: str | None = None
    dkim: str | None = None
    dmarc: str | None = None
    arc: str | None = None
    compauth: str | None = None
    compauth_reason: str | None = None  # three digits; Microsoft's own

    def methods(self) -> set[str]:
        """Those about which something is said."""
        return {name for name in METHODS if getattr(self, name) is not None}

    def or_else(self, other: "Authentication") -> "Authentication":
        """Fill what is missing here from *other*; a reason goes with its compauth."""
        reason = self.compauth_reason if self.compauth else other.compauth_reason
        return Authentication(
            spf=self.spf or other.spf,
            dkim=self.dkim or other.dkim,
            dmarc=self.dmarc or other.dmarc,
            arc=self.arc or other.arc,
            compauth=self.compauth or other.compauth,
            compauth_reason=reason,
        )


@dataclass(frozen=True, slots=True)
class Report:
    """One field: who speaks ("" in Microsoft's dialect), and what it says."""

    authserv_id: str
    results: Authentication


def parse(value: str) -> Report:
    """Read one unfolded value. Never raises: the input is hostile.

    Of several DKIM signatures one that passes is enough.
    """
    parts = [part for part in segments(value[:MAX_VALUE])[:MAX_RESULTS] if part.strip()]
    if parts and _INSTANCE.fullmatch(parts[0]):  # ARC: i=1;
        parts = parts[1:]
    named = _AUTHSERV_ID.fullmatch(parts[0]) if parts else None
    authserv_id = named[1].lower() if named else ""
    found: dict[str, str] = {}
    for segment in parts:
        match = _METHOD.match(segment)
        if match is None or match[1].lower() not in METHODS:
            continue
        method, result = match[1].lower(), match[2].lower()
        if method not in found or (method == "dkim" and result == "pass"):
            found[method] = result
        reason = _REASON.search(segment) if method == "compauth" else None
        if reason is not None:
            found["compauth_reason"] = reason[1]
    return Report(authserv_id, Authentication(**found))


def believed(
    fields: Sequence[HeaderField],
    boundary: Hop | None,
    family: str | None,
    trusted: Collection[str] = (),
) -> Authentication:
    """Merge what the receiver itself wrote, the topmost of each authserv-id first.

    Args:
        fields: the whole header block, topmost first.
        boundary: the hop that took the message from outside; None if there is no hop,
            so that there is only one writer.
        family: of the receiver; where it speaks under its own name, others above the
            boundary are not asked. Its ARC field counts where it wrote no plain one.
        trusted: authserv-ids under which the receiver always writes; right below the
            boundary these are believed too.
    """
    end = len(fields) if boundary is None else boundary.index
    above = _parsed(fields[:end], NAME) if boundary is None else _joined(fields[:end])
    below = _directly_below(fields, boundary, family)
    known = [r for r in _of_milters(fields, boundary, family) if r.authserv_id in trusted]
    plain = [*_speaking(above, family, trusted), *below, *known]
    sealed = _parsed(fields[:end], ARC_NAME)
    own = [r for r in sealed if family and family_of_host(r.authserv_id) == family]
    return _merge(plain or own)


def claimed(
    fields: Sequence[HeaderField], boundary: Hop | None, family: str | None
) -> Report | None:
    """What stands right below the boundary under the name of its host; None if nothing.

    There the receiver's milters write (OpenDKIM, OpenDMARC, Rspamd), and there a sender's
    own first field ends up. So it is believed only of servers that are known to write it.
    """
    own = [
        report
        for report in _joined(_milters_block(fields, boundary, family))
        if boundary is not None and _names_the_receiver(report.authserv_id, boundary, family)
    ]
    merged = _merge(own)
    return Report(own[0].authserv_id, merged) if merged != Authentication() else None


def _of_milters(
    fields: Sequence[HeaderField], boundary: Hop | None, family: str | None
) -> list[Report]:
    """Reports right below the boundary; none where we know that milters do not write them."""
    return _parsed(_milters_block(fields, boundary, family), NAME)


def _milters_block(
    fields: Sequence[HeaderField], boundary: Hop | None, family: str | None
) -> Sequence[HeaderField]:
    if boundary is None or not (family is None or family in _WITH_MILTERS):
        return []
    rest = fields[boundary.index + 1 :]
    size = next((i for i, field in enumerate(rest) if field.key not in _MILTERS), len(rest))
    return rest[:size]


def _names_the_receiver(authserv_id: str, boundary: Hop, family: str | None) -> bool:
    is_familys = family is not None and family_of_host(authserv_id) == family
    return is_familys or is_below(boundary.by, (authserv_id,))


def _joined(fields: Sequence[HeaderField]) -> list[Report]:
    """Reports, those of one server that stand together as one: some write a field a method.

    One that speaks again of a method is an older look of that server's, and is left out.
    """
    found: list[Report] = []
    last = -2
    own = [(i, field) for i, field in enumerate(fields) if field.key == NAME]
    for index, field in own[:MAX_FIELDS]:
        report = parse(field.value)
        before = found[-1] if found and index == last + 1 else None
        last = index
        if before is None or not before.authserv_id or before.authserv_id != report.authserv_id:
            found.append(report)
        elif not before.results.methods() & report.results.methods():
            found[-1] = Report(before.authserv_id, before.results.or_else(report.results))
    return found


def _parsed(fields: Sequence[HeaderField], name: str) -> list[Report]:
    values = [field.value for field in fields if field.key == name]
    return [parse(value) for value in values[:MAX_FIELDS]]


def _directly_below(
    fields: Sequence[HeaderField], boundary: Hop | None, family: str | None
) -> list[Report]:
    """Reports between a boundary Received and the first field of the message itself.

    Believed only beside the receiver's own Received-SPF, which it always writes there:
    what a sender put on top of a message ends up below the receiver's fields.
    """
    domain = _WRITES_BELOW.get(family or "")
    if boundary is None or domain is None:
        return []
    block = []
    for field in fields[boundary.index + 1 :]:
        if field.key not in _BELOW:
            break
        block.append(field)
        if field.key == _LAST[family or ""]:  # what follows may be the sender's first field
            break
    is_signed = any(f.key == "received-spf" and f"{domain}:" in f.value.lower() for f in block)
    reports = [parse(field.value) for field in block if field.key == NAME]
    return [r for r in reports if is_signed and family_of_host(r.authserv_id) == family]


def _speaking(reports: list[Report], family: str | None, trusted: Collection[str]) -> list[Report]:
    """Those under the receiver's own name (Microsoft's: under none), if there are any."""
    own = [
        r
        for r in reports
        if r.authserv_id in trusted
        or (family is not None and family_of_host(r.authserv_id) == family)
        or (family == "microsoft" and not r.authserv_id)
    ]
    return own or reports


def _merge(reports: Iterable[Report]) -> Authentication:
    merged = Authentication()
    seen: set[str] = set()
    for report in reports:
        if report.authserv_id not in seen:
            merged = merged.or_else(report.results)
        seen.add(report.authserv_id)
    return merged
