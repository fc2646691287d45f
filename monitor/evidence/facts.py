"""All that the headers of one received copy tell, as one JSON-able summary.

The shape is the contract of `seedwatch explain --json`; see docs/evidence.md.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

from monitor.evidence import arc, authres, fields, forefront, hops, points, verdicts
from monitor.evidence.fields import HeaderField
from monitor.evidence.hops import Hop
from monitor.evidence.verdict import Judged, Verdict

MAX_UNKNOWN = 20
MAX_SHOWN = 500

_VERDICT_LIKE = re.compile(r"x-[^:]{0,180}(?:spam|phish|junk|virus|malware|filter|quarantine)")
# Names that are a filter's own and are understood, or tell nothing that we could judge by.
_UNDERSTOOD = (
    forefront.NAMES
    | points.RSPAMD_MARKS
    | {
        *(
            "x-gm-spam",
            "x-gm-phishy",
            "x-yahoofilteredbulk",
            "x-ui-filterresults",
            "x-pm-spamscore",
        ),
        *("x-pm-spam-action", "x-pm-spam", "x-spam-status", "x-spam-flag", "x-spam-level"),
        *("x-spam-score", "x-spam-report", "x-spam-checker-version", "x-spam", "x-spam-hits"),
        *("x-spam-source", "x-spam-charsets", "x-spam-sender-reputation"),
        *("x-spam-known-sender", "x-spamd-result", "x-spamd-bar", "x-rspamd-action"),
        *("x-microsoft-antispam-message-info", "x-gmx-antispam", "x-gmx-antivirus"),
        *(
            "x-proofpoint-spam-details",
            "x-proofpoint-spam-details-enc",
            "x-proofpoint-virus-version",
        ),
        *("x-mimecast-spam-score", "x-mimecast-spam-signature"),
        *("x-ironport-anti-spam-filtered", "x-ironport-anti-spam-result", "x-virus"),
        *("x-barracuda-spam-status", "x-barracuda-spam-score", "x-barracuda-spam-flag"),
        *(
            "x-barracuda-spam-report",
            "x-ui-out-filterresults",
            "x-ms-office365-filtering-correlation-id",
        ),
    }
)
# Fields by which a filter's mark is told, for marks that anybody on the way may have left.
_MARKS = {
    "spamassassin": ("x-spam-",),
    "spam-flag": ("x-spam-flag",),
    "rspamd": ("x-rspamd-", "x-spamd-"),
    "barracuda": ("x-barracuda-",),
    "proofpoint": ("x-proofpoint-",),
    "mimecast": ("x-mimecast-",),
    "cisco": ("x-ironport-", "x-ipas-", "x-amp-"),
}
# Marks that one provider alone writes, by the family that must have received the message.
_OWN_MARKS = {"gmail": "google", "yahoo": "yahoo", "icloud": "icloud", "gmx": "gmx"} | {
    "microsoft": "microsoft",
    "proton": "proton",
    "fastmail": "fastmail",
}
_SOLE_WRITERS = {
    "x-apple-movetofolder": "icloud",
    "x-yahoofilteredbulk": "yahoo",
    "x-ymailisg": "yahoo",
    "ui-inboundreport": "gmx",
    "x-ui-filterresults": "gmx",
    "x-pm-spam-action": "proton",
    "x-pm-spamscore": "proton",
    "x-spam-known-sender": "fastmail",
}
_PERSONAL = {
    "google": ("gmail.com", "googlemail.com"),
    "microsoft": ("outlook.com", "hotmail.com", "live.com", "msn.com"),
}
_BUSINESS = {"google": "google_workspace", "microsoft": "microsoft365"}
_CONSUMER = {"google": "gmail", "microsoft": "outlook"}
_RECIPIENT = re.compile(r"\bfor\s{1,5}<?[^\s<>@]{1,64}@([^\s<>;]{1,255})", re.IGNORECASE)
_QUEUE_ID = re.compile(r"\sid\s{1,5}([A-Za-z0-9]{6,40})(?![\w.-])")
_FAMILY_OF = {"gmail": "google", "google_workspace": "google"} | {
    "outlook": "microsoft",
    "microsoft365": "microsoft",
    "aol": "yahoo",
    "webde": "gmx",
}


def facts(headers: bytes, provider: str, trusted: Collection[str] = ()) -> dict[str, Any]:
    """Summarise a raw header block, or a whole message. Never raises.

    Args:
        headers: bounded by `fields.MAX_BYTES`; the rest is not looked at. A body may follow.
        provider: id of the provider that received the copy; "" if it is to be told from
            the headers.
        trusted: authserv-ids under which this receiver always writes its results.
    Returns:
        receiver; authentication (what the receiver itself found); authentication_claimed
        (what may be the receiver's own and cannot be told from a sender's, or None);
        filters; hops (in the order of travel); transit_s (seconds between the earliest
        Received and the topmost); contaminated (placed by a list or a rule of the mailbox,
        so that the placement says nothing); arc (what the sets of an ARC chain claim); and
        unknown (fields that look like a filter's and that we cannot read). Of each filter,
        `standing` is "receiver" where the receiver wrote the mark, and "claim" where the
        sender or somebody on the way may have.
    """
    block = fields.parse(headers)
    chain = hops.read(block)
    receiver = provider or _receiver(block, chain) or None
    family = _FAMILY_OF.get(receiver or "", receiver) or hops.family(chain)
    edge = hops.boundary(chain)
    own = family if family in hops.DOMAINS else None
    found = _verdicts(block, family)
    filters = [_told(verdict, _standing(verdict, block, edge, family)) for verdict in found]
    return {
        "receiver": receiver,
        "authentication": asdict(authres.believed(block, edge, own, trusted)),
        "authentication_claimed": _claimed(block, edge, own, trusted),
        "filters": filters,
        "hops": hops.told(chain),
        "transit_s": hops.transit_s(chain),
        "contaminated": any(
            one["facts"].get("contaminated") is True and one["standing"] == "receiver"
            for one in filters
        ),
        "arc": arc.told(arc.read(block)),
        "unknown": _unknown(block, found),
    }


def _claimed(
    block: Sequence[HeaderField], edge: Hop | None, family: str | None, trusted: Collection[str]
) -> dict[str, Any] | None:
    report = authres.claimed(block, edge, family)
    if report is None or report.authserv_id in trusted:
        return None
    return {"authserv_id": report.authserv_id} | asdict(report.results)


def _verdicts(block: Sequence[HeaderField], family: str | None) -> list[Verdict]:
    """What each filter says. Microsoft's marks travel on with mail that it sends out, so
    they count only where Microsoft received."""
    first = [forefront.verdict(block)] if family in {None, "microsoft"} else []
    every = [*first, *(reader(block) for reader in verdicts.READERS)]
    found = [verdict for verdict in every if verdict is not None]
    # A bare flag adds nothing to a filter that gives its name.
    flag = verdicts.flagged(block) if not found else None
    return [*found, flag] if flag else found


def _standing(
    verdict: Verdict, block: Sequence[HeaderField], edge: Hop | None, family: str | None
) -> str:
    """Did the receiver write the mark, or may somebody before it have?"""
    own = _OWN_MARKS.get(verdict.name)
    if own is not None:
        return "receiver" if family in {None, own} else "claim"
    if edge is None:  # there is only one writer
        return "receiver"
    marks = _MARKS[verdict.name]
    top = next((i for i, field in enumerate(block) if field.key.startswith(marks)), len(block))
    is_own = top < edge.index or (verdict.name == "rspamd" and _knows_the_queue(block, edge))
    return "receiver" if is_own else "claim"


def _knows_the_queue(block: Sequence[HeaderField], edge: Hop) -> bool:
    """Did Rspamd learn the number that the receiver gave the message on its way in?

    Rspamd's marks stand at the end of the header. A sender cannot know that number before
    it has sent the message, and Rspamd takes one foreign X-Spamd-Result away, not several.
    """
    given = _QUEUE_ID.search(block[edge.index].value)
    results = fields.values(block, "X-Spamd-Result")
    told = fields.values(block, "X-Rspamd-Queue-Id")
    return given is not None and given[1] in told and len(results) <= 1


def _told(verdict: Verdict, standing: str) -> dict[str, Any]:
    return {
        "name": verdict.name,
        "facts": dict(verdict.facts),
        "judged": str(verdict.judged),
        "meaning": verdict.meaning,
        "page": verdict.page or None,
        "standing": standing,
    }


def _receiver(block: Sequence[HeaderField], chain: Sequence[Hop]) -> str | None:
    """Tell the provider by its receiving hosts and by headers that only it writes."""
    family = hops.family(chain)
    names = {field.key for field in block}
    if family in {None, "microsoft"} and _is_received_by_microsoft(block, family):
        return "microsoft365" if forefront.REPORT in names else "outlook"
    if family is None and not _is_named_above_the_boundary(block, chain):
        family = _family_by_authserv_id(block, chain) or _family_by_marks(block, chain)
    if family in _PERSONAL:
        return _by_recipient(block, family)
    return _brand(block, chain, family)


def _is_named_above_the_boundary(block: Sequence[HeaderField], chain: Sequence[Hop]) -> bool:
    edge = hops.boundary(chain)
    end = len(block) if edge is None else edge.index
    return any(hops.names_its_host(hop) for hop in chain if hop.index <= end)


def _family_by_marks(block: Sequence[HeaderField], chain: Sequence[Hop]) -> str | None:
    """Tell the receiver by a field above its boundary that it alone writes: a message that
    was forwarded carries those of the mailbox before."""
    edge = hops.boundary(chain)
    names = {field.key for field in (block if edge is None else block[: edge.index])}
    return next((kind for name, kind in _SOLE_WRITERS.items() if name in names), None)


def _brand(block: Sequence[HeaderField], chain: Sequence[Hop], family: str | None) -> str | None:
    """AOL's mailboxes stand at Yahoo, and WEB.DE's machines are GMX's by another name."""
    last = next((hop.by for hop in chain if hops.family_of_host(hop.by)), "")
    if family == "gmx" and hops.is_below(last, ("web.de",)):
        return "webde"
    to = (fields.first(block, "X-Apparently-To") or "").partition(";")[0].split(" ")[0]
    domain = to.rpartition("@")[2].strip("<> ").lower()
    if family == "yahoo" and (domain == "aol.com" or hops.is_below(last, ("aol.com",))):
        return "aol"
    return family


def _family_by_authserv_id(block: Sequence[HeaderField], chain: Sequence[Hop]) -> str | None:
    """Tell the receiver by who signs above its boundary, if no machine there has a name."""
    edge = hops.boundary(chain)
    end = len(block) if edge is None else edge.index
    written = fields.values(block[:end], authres.NAME)[: authres.MAX_FIELDS]
    ids = (authres.parse(value).authserv_id for value in written)
    return next((kind for i in ids if (kind := hops.family_of_host(i))), None)


def _is_received_by_microsoft(block: Sequence[HeaderField], family: str | None) -> bool:
    """A report of direction OUT was written by a sender's tenant, on its way out."""
    if fields.first(block, forefront.DELIVERY) is not None:
        return True
    report = fields.first(block, forefront.REPORT)
    return report is not None and (
        family == "microsoft" or forefront.pairs(report).get("dir", "").upper() != "OUT"
    )


def _by_recipient(block: Sequence[HeaderField], family: str) -> str:
    """Personal or business mailbox, by the recipient's domain; personal if nothing tells."""
    delivered = [v.rpartition("@")[2] for v in fields.values(block, "Delivered-To")]
    received = [m[1] for v in fields.values(block, "Received")[:3] if (m := _RECIPIENT.search(v))]
    domain = next(iter([*delivered, *received]), "").strip("<> ").lower()
    is_personal = not domain or domain in _PERSONAL[family]
    return _CONSUMER[family] if is_personal else _BUSINESS[family]


def _unknown(block: Sequence[HeaderField], found: Sequence[Verdict]) -> list[str]:
    undecided = {v.name for v in found if v.judged is Judged.UNKNOWN}
    raw = [f for f in block if _VERDICT_LIKE.match(f.key) and f.key not in _UNDERSTOOD]
    if "microsoft" in undecided:
        raw += [f for f in block if f.key in forefront.NAMES]
    return [f"{field.name}: {field.value}"[:MAX_SHOWN] for field in raw[:MAX_UNKNOWN]]
