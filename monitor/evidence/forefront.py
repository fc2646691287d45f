"""What Microsoft's filters say in headers: X-Forefront-Antispam-Report and its kin.

Fields and their meaning: learn.microsoft.com, "Anti-spam message headers" (EOP and
Defender for Office 365), and "Antispam stamps" for Exchange Server. Consumer Outlook.com
writes no Forefront report; there, the SCL and the mailbox delivery field tell. What the
codes mean in words is in `codes`.
"""

import re
from collections.abc import Mapping, Sequence

from monitor.evidence import pages
from monitor.evidence.fields import HeaderField
from monitor.evidence.verdict import Fact, Judged, Verdict

REPORT = "x-forefront-antispam-report"
ANTISPAM = "x-microsoft-antispam"
DELIVERY = "x-microsoft-antispam-mailbox-delivery"
_ORGANIZATION = "x-ms-exchange-organization-"
SCL = f"{_ORGANIZATION}scl"
AUTH_AS = f"{_ORGANIZATION}authas"
AUTH_SOURCE = f"{_ORGANIZATION}authsource"
FOCUSED = f"{_ORGANIZATION}bypassfocusedinbox"
SERVER_REPORT = f"{_ORGANIZATION}antispam-report"  # of Exchange Server
PCL = f"{_ORGANIZATION}pcl"  # of Exchange Server
MESSAGE = f"{_ORGANIZATION}network-message-id"
LATENCY = "x-ms-exchange-transport-endtoendlatency"
CUSTOM = "x-customspam"
# Each of these says that Microsoft's filter looked; the others only tell more of it.
NAMES = frozenset({REPORT, ANTISPAM, DELIVERY, SCL, SERVER_REPORT, CUSTOM})
_MORE = frozenset({AUTH_AS, AUTH_SOURCE, FOCUSED, LATENCY, PCL, MESSAGE})

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
_CLOCK = re.compile(r"(?:(\d{1,3})\.)?(\d{1,2}):(\d{2}):(\d{2}(?:\.\d{1,9})?)")


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
    values: dict[str, str] = {}
    for field in fields:
        if field.key in NAMES or field.key in _MORE:
            values.setdefault(field.key, field.value)
    if values.keys().isdisjoint(NAMES):
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
    facts |= _more(values)
    judged = _judge(report, scl, delivery.get("dest", ""))
    return Verdict("microsoft", facts, judged, _meaning(judged, facts), pages.MICROSOFT)


def _more(values: Mapping[str, str]) -> dict[str, Fact]:
    """What stands beside the verdict; only what is there."""
    focused = {"true": True, "false": False}.get(values.get(FOCUSED, "").lower())
    told: dict[str, Fact] = {
        "auth_as": values.get(AUTH_AS, "")[:50] or None,
        "auth_source": values.get(AUTH_SOURCE, "")[:255] or None,
        "bypass_focused_inbox": focused,
        "antispam_report": values.get(SERVER_REPORT, "")[:500] or None,
        "custom_spam": values.get(CUSTOM, "")[:200] or None,
        "pcl": _number(values.get(PCL)),
        "network_message_id": values.get(MESSAGE, "")[:100] or None,  # asked for by hunting
        "latency_s": _seconds(values.get(LATENCY)),
    }
    return {key: value for key, value in told.items() if value is not None}


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
    shown = f" ({', '.join(signs)})." if signs else "."
    if judged is Judged.UNKNOWN:
        return f"Microsoft's filter left no verdict that we can read{shown}"
    return f"Microsoft's filter took it for {judged.taken_for}{shown}"


def _number(text: str | None) -> int | None:
    match = _NUMBER.fullmatch((text or "").strip())
    return int(match[0]) if match else None


def _seconds(text: str | None) -> float | None:
    """Read a time span as .NET writes it: [days.]hours:minutes:seconds."""
    match = _CLOCK.fullmatch((text or "").strip())
    if match is None:
        return None
    days, hours, minutes = (int(match[i] or 0) for i in (1, 2, 3))
    return round(days * 86400 + hours * 3600 + minutes * 60 + float(match[4]), 3)
