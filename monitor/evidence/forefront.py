"""What Microsoft's filters say in headers: X-Forefront-Antispam-Report and its kin.

Fields and their meaning: learn.microsoft.com, "Anti-spam message headers" (EOP and
Defender for Office 365). Consumer Outlook.com writes no Forefront report; there, the SCL
and the mailbox delivery field tell.
"""

import re
from collections.abc import Sequence

from monitor.evidence.fields import HeaderField, first
from monitor.evidence.verdict import Fact, Judged, Verdict

REPORT = "x-forefront-antispam-report"
ANTISPAM = "x-microsoft-antispam"
DELIVERY = "x-microsoft-antispam-mailbox-delivery"
SCL = "x-ms-exchange-organization-scl"
NAMES = frozenset({REPORT, ANTISPAM, DELIVERY, SCL})

BY_CATEGORY = {
    "BULK": Judged.BULK,
    "SPM": Judged.SPAM,
    "HSPM": Judged.SPAM,
    "OSPM": Judged.SPAM,
    "PHSH": Judged.PHISH,
    "HPHSH": Judged.PHISH,
    "HPHISH": Judged.PHISH,
    "SPOOF": Judged.PHISH,
    "BIMP": Judged.PHISH,
    "DIMP": Judged.PHISH,
    "GIMP": Judged.PHISH,
    "UIMP": Judged.PHISH,
    "INTOS": Judged.PHISH,
    "MALW": Judged.MALWARE,
    "AMP": Judged.MALWARE,
    "SAP": Judged.MALWARE,
    "FTBP": Judged.MALWARE,
}
BY_VERDICT = {
    "NSPM": Judged.CLEAN,
    "SFE": Judged.CLEAN,
    "SKA": Judged.CLEAN,
    "SKI": Judged.CLEAN,
    "SKN": Judged.CLEAN,
    "SKQ": Judged.CLEAN,
    "BLK": Judged.SPAM,
    "SKB": Judged.SPAM,
    "SKS": Judged.SPAM,
    "SPM": Judged.SPAM,
}
# Filtering was passed over: released by a person, or allowed by a list.
BYPASSED = frozenset({"SKQ", "SFE", "SKA", "SKN", "SKI"})
# Reasons for a placement that are the filter's own; any other is a list or rule of the mailbox.
OF_THE_FILTER = frozenset({"spamfilterpass", "spamfilterauthj"})

_TEXTS = ("sfv", "cat", "cip", "ctry", "lang", "ipv", "srv", "h", "ptr", "dir", "sfty")
_NUMBER = re.compile(r"-?\d{1,3}")


def pairs(value: str) -> dict[str, str]:
    """Read a list of `KEY:value;`, keys in lower case; the first of a key counts.

    Never raises. A value may hold colons, as an IPv6 address does.
    """
    found: dict[str, str] = {}
    for part in value.split(";")[:200]:
        key, colon, text = part.partition(":")
        if colon and key.strip():
            found.setdefault(key.strip().lower()[:50], text.strip()[:255])
    return found


def verdict(fields: Sequence[HeaderField]) -> Verdict | None:
    """Say what Microsoft's filter found; None if it left no mark."""
    values = {name: value for name in NAMES if (value := first(fields, name)) is not None}
    if not values:
        return None
    report = pairs(values.get(REPORT, ""))
    delivery = pairs(values.get(DELIVERY, ""))
    bulk = pairs(values.get(ANTISPAM, ""))
    of_report = _number(report.get("scl"))
    scl = of_report if of_report is not None else _number(values.get(SCL))
    facts: dict[str, Fact] = {"scl": scl, "bcl": _number(bulk.get("bcl"))}
    facts |= {key: report.get(key) or None for key in _TEXTS}
    facts |= {key: delivery.get(key) or None for key in ("dest", "ofr")}
    facts["contaminated"] = is_contaminated(report.get("sfv", ""), delivery.get("ofr", ""))
    judged = _judge(report, scl, delivery.get("dest", ""))
    return Verdict("microsoft", facts, judged, _meaning(judged, facts))


def is_contaminated(sfv: str, ofr: str) -> bool:
    """Was the copy placed by a list or rule, or by a person, instead of the filter?"""
    return sfv.upper() in BYPASSED or (ofr != "" and ofr.lower() not in OF_THE_FILTER)


def _judge(report: dict[str, str], scl: int | None, dest: str) -> Judged:
    by_category = BY_CATEGORY.get(report.get("cat", "").upper())
    by_verdict = BY_VERDICT.get(report.get("sfv", "").upper())
    if by_category or by_verdict:
        return by_category or by_verdict or Judged.UNKNOWN
    if scl is not None and (scl >= 5 or scl <= 1):
        return Judged.SPAM if scl >= 5 else Judged.CLEAN
    return {"J": Judged.SPAM, "I": Judged.CLEAN}.get(dest.upper(), Judged.UNKNOWN)


def _meaning(judged: Judged, facts: dict[str, Fact]) -> str:
    if facts["contaminated"]:
        why = facts["ofr"] or facts["sfv"]
        return f"Placed by a list, a rule or a person ({why}), not by the filter: says nothing."
    signs = [
        f"{key.upper()} {facts[key]}" for key in ("cat", "sfv", "scl") if facts[key] is not None
    ]
    return f"Microsoft's filter took it for {judged}" + (
        f" ({', '.join(signs)})." if signs else "."
    )


def _number(text: str | None) -> int | None:
    match = _NUMBER.fullmatch((text or "").strip())
    return int(match[0]) if match else None
