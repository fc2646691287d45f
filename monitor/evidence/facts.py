"""All that the headers of one received copy tell, as one JSON-able summary.

The shape is the contract of `seedwatch explain --json`; see docs/evidence.md.
"""

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from monitor.evidence import authres, fields, forefront, hops, verdicts
from monitor.evidence.fields import HeaderField
from monitor.evidence.hops import Hop
from monitor.evidence.verdict import Judged, Verdict

MAX_UNKNOWN = 20
MAX_SHOWN = 500

_VERDICT_LIKE = re.compile(r"^x-.*(?:spam|phish|junk|virus|malware|filter|quarantine)")
# Names that are a filter's own and are understood, or tell nothing that we could judge by.
_UNDERSTOOD = forefront.NAMES | {
    *("x-gm-spam", "x-gm-phishy", "x-yahoofilteredbulk", "x-ui-filterresults", "x-pm-spamscore"),
    *("x-pm-spam-action", "x-spam-status", "x-spam-flag", "x-spam-level", "x-spam-score"),
    *("x-spam-checker-version", "x-spam", "x-spamd-result", "x-spamd-bar", "x-rspamd-action"),
    *("x-microsoft-antispam-message-info", "x-gmx-antispam", "x-gmx-antivirus"),
}
_PERSONAL = {
    "google": ("gmail.com", "googlemail.com"),
    "microsoft": ("outlook.com", "hotmail.com", "live.com", "msn.com"),
}
_BUSINESS = {"google": "google_workspace", "microsoft": "microsoft365"}
_CONSUMER = {"google": "gmail", "microsoft": "outlook"}
_RECIPIENT = re.compile(r"\bfor\s{1,5}<?[^\s<>@]{1,64}@([^\s<>;]{1,255})", re.IGNORECASE)
_FAMILY_OF = {"gmail": "google", "google_workspace": "google"} | {
    "outlook": "microsoft",
    "microsoft365": "microsoft",
}


def facts(headers: bytes, provider: str) -> dict[str, Any]:
    """Summarise a raw header block, or a whole message. Never raises.

    Args:
        headers: bounded by `fields.MAX_BYTES`; the rest is not looked at.
        provider: id of the provider that received the copy; "" if it is to be told from
            the headers.
    Returns:
        receiver, authentication, filters, hops (in the order of travel), transit_s (seconds
        between the earliest Received and the topmost), contaminated (placed by a list or a
        rule of the mailbox, so that the placement says nothing) and unknown (fields that
        look like a filter's and that we cannot read).
    """
    block = fields.parse(headers)
    chain = hops.read(block)
    receiver = provider or _receiver(block, chain) or None
    family = _FAMILY_OF.get(receiver or "", receiver) or hops.family(chain)
    found = _verdicts(block, family)
    return {
        "receiver": receiver,
        "authentication": asdict(authres.believed(block, hops.boundary(chain), family)),
        "filters": [_told(verdict) for verdict in found],
        "hops": hops.told(chain),
        "transit_s": hops.transit_s(chain),
        "contaminated": any(verdict.facts.get("contaminated") is True for verdict in found),
        "unknown": _unknown(block, found),
    }


def _verdicts(block: Sequence[HeaderField], family: str | None) -> list[Verdict]:
    """What each filter says. Microsoft's marks travel on with mail that it sends out, so
    they count only where Microsoft received."""
    readers = list(verdicts.READERS)
    found = [forefront.verdict(block)] if family in {None, "microsoft"} else []
    return [v for v in [*found, *(reader(block) for reader in readers)] if v is not None]


def _told(verdict: Verdict) -> dict[str, Any]:
    return {
        "name": verdict.name,
        "facts": dict(verdict.facts),
        "judged": str(verdict.judged),
        "meaning": verdict.meaning,
    }


def _receiver(block: Sequence[HeaderField], chain: Sequence[Hop]) -> str | None:
    """Tell the provider by its receiving hosts and by headers that only it writes."""
    family = hops.family(chain)
    names = {field.key for field in block}
    if family in {None, "microsoft"} and _is_received_by_microsoft(block, family):
        return "microsoft365" if forefront.REPORT in names else "outlook"
    if family is None and not chain:
        ids = (authres.parse(v).authserv_id for v in fields.values(block, authres.NAME))
        family = next((kind for i in ids if (kind := hops.family_of_host(i))), None)
    if family in _PERSONAL:
        return _by_recipient(block, family)
    return family


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
