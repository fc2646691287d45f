"""Marks of the gateways that stand in front of company mailboxes: Proofpoint, Mimecast,
Cisco.

A gateway often looks at mail on its way out too, so its marks reach other receivers: what
it says of outgoing mail is told as such (`direction`).
"""

import re
from collections.abc import Sequence

from monitor.evidence import pages
from monitor.evidence.fields import HeaderField, first
from monitor.evidence.verdict import Fact, Judged, Verdict

_SETTING = re.compile(r"(?<![\w-])([a-z]{2,20})=([\w.:-]{1,60})")
_NUMBER = re.compile(r"-?\d{1,6}(?:\.\d{1,6})?")

# The scores of X-Proofpoint-Spam-Details that say what it was taken for, 0 to 100.
_PROOFPOINT_SCORES = frozenset(
    {"score", "spamscore", "phishscore", "malwarescore", "bulkscore", "impostorscore"}
    | {"suspectscore", "adultscore", "lowpriorityscore", "mlxscore", "clxscore"}
)
# Customers name their rules, but by these words; the first that is there counts.
_PROOFPOINT_RULES = (
    ("notspam", Judged.CLEAN),
    ("malware", Judged.MALWARE),
    ("virus", Judged.MALWARE),
    ("phish", Judged.PHISH),
    ("impostor", Judged.PHISH),
    ("bulk", Judged.BULK),
    ("spam", Judged.SPAM),
)
# Mimecast's settings Aggressive, Moderate and Relaxed act from 3, 5 and 7 points.
_MIMECAST_CLEAN, _MIMECAST_SPAM = 3.0, 7.0


def proofpoint(fields: Sequence[HeaderField]) -> Verdict | None:
    """X-Proofpoint-Spam-Details: "rule=notspam policy=default score=0 spamscore=0 ...".

    Newer installations write X-Proofpoint-Spam-Details-Enc, which only Proofpoint can read.
    """
    details = first(fields, "X-Proofpoint-Spam-Details")
    sealed = first(fields, "X-Proofpoint-Spam-Details-Enc")
    engines = first(fields, "X-Proofpoint-Virus-Version")
    if details is None and sealed is None and engines is None:
        return None
    told: dict[str, str] = {}
    for match in _SETTING.finditer(details or ""):
        told.setdefault(match[1], match[2])
    rule = told.get("rule", "")
    facts: dict[str, Fact] = {
        "rule": rule or None,
        "policy": told.get("policy"),
        "direction": "out" if "outbound" in f"{rule} {told.get('policy', '')}" else None,
        "classifier": told.get("classifier"),
        "reason": told.get("reason"),
    }
    facts |= {name: _number(told[name]) for name in sorted(_PROOFPOINT_SCORES & told.keys())}
    if engines is not None:
        facts["virus_version"] = engines[:200]
    if details is None:
        facts["encrypted"] = sealed is not None
    judged = next((j for word, j in _PROOFPOINT_RULES if word in rule.lower()), Judged.UNKNOWN)
    return Verdict("proofpoint", facts, judged, _proofpoint_meaning(judged, facts, sealed))


def mimecast(fields: Sequence[HeaderField]) -> Verdict | None:
    """X-Mimecast-Spam-Score, and signatures where one matched ("yes" or "bulk")."""
    score = first(fields, "X-Mimecast-Spam-Score")
    signature = (first(fields, "X-Mimecast-Spam-Signature") or "").strip().lower()[:20]
    bulk = (first(fields, "X-Mimecast-Bulk-Signature") or "").strip().lower()[:20]
    protect = first(fields, "X-Mimecast-Impersonation-Protect")
    if score is None and not signature and not bulk and protect is None:
        return None
    points = _number(score)
    facts: dict[str, Fact] = {
        "score": points,
        "spam_signature": signature or None,
        "bulk_signature": bulk or None,
        "impersonation": _impersonation(protect),
        "originator": (first(fields, "X-Mimecast-Originator") or "")[:255] or None,
    }
    judged = _mimecast_judged(points, signature, bulk)
    why = " (a signature matched)" if signature or bulk else ""
    if points is not None:
        why = f" ({points:g} points; 3, 5 or 7 make spam, by the customer's setting)"
    meaning = f"Mimecast took it for {judged.taken_for}{why}."
    if judged is Judged.UNKNOWN:
        meaning = f"Mimecast left no verdict that we can read{why}."
    return Verdict("mimecast", facts, judged, meaning, pages.MIMECAST_SCORE)


def cisco(fields: Sequence[HeaderField]) -> Verdict | None:
    """Cisco's secure mail gateway (IronPort). Its spam verdict is encoded for its maker."""
    encoded = first(fields, "X-IPAS-Result") or first(fields, "X-IronPort-Anti-Spam-Result")
    filtered = first(fields, "X-IronPort-Anti-Spam-Filtered")
    amp = first(fields, "X-Amp-Result")
    outbreak = first(fields, "X-IronPort-Outbreak-Status")
    antivirus = first(fields, "X-IronPort-AV")
    if all(value is None for value in (encoded, filtered, amp, outbreak, antivirus)):
        return None
    what = first(fields, "X-IronPort-Outbreak-Description") or ""
    facts: dict[str, Fact] = {
        "filtered": {"true": True, "false": False}.get((filtered or "").strip().lower()),
        "encoded": encoded is not None,
        "amp_result": amp[:100] if amp else None,
        "amp_original_verdict": (first(fields, "X-Amp-Original-Verdict") or "")[:100] or None,
        "outbreak_status": outbreak[:100] if outbreak else None,
        "outbreak_description": what[:100] or None,
        "antivirus": antivirus is not None,
    }
    judged = Judged.UNKNOWN
    if (amp or "").strip().upper().startswith("MALICIOUS"):
        judged = Judged.MALWARE
    elif "phish" in what.lower():
        judged = Judged.PHISH
    meaning = f"Cisco's gateway took it for {judged.taken_for}."
    if judged is Judged.UNKNOWN:
        meaning = "Cisco's gateway scanned it; its spam verdict is encoded, only Cisco can read it."
    return Verdict("cisco", facts, judged, meaning, pages.CISCO_HEADERS)


def _proofpoint_meaning(judged: Judged, facts: dict[str, Fact], sealed: str | None) -> str:
    way = " on its way out of the sender's organisation" if facts["direction"] else ""
    if judged is not Judged.UNKNOWN:
        return f"Proofpoint took it for {judged.taken_for}{way} (rule {facts['rule']})."
    if facts["rule"]:
        return (
            f"Proofpoint's rule {facts['rule']} matched; what that does is the customer's choice."
        )
    if sealed is not None:
        return "Proofpoint scanned it; its details are encrypted, only Proofpoint can read them."
    return "Proofpoint scanned it for viruses, and left no verdict that we can read."


def _mimecast_judged(points: float | None, signature: str, bulk: str) -> Judged:
    if signature == "bulk" or bulk == "yes":
        return Judged.BULK
    if signature == "yes" or (points is not None and points >= _MIMECAST_SPAM):
        return Judged.SPAM
    if points is not None and points < _MIMECAST_CLEAN:
        return Judged.CLEAN
    return Judged.UNKNOWN


def _impersonation(value: str | None) -> str | None:
    """The checks of Impersonation Protect that were true; None where none was made."""
    if value is None:
        return None
    pairs = [part.partition("=") for part in value.split(";")[:50]]
    true = [name.strip()[:60] for name, _, text in pairs if text.strip().lower() == "true"]
    return ", ".join(true) or "nothing found"


def _number(text: str | None) -> float | None:
    match = _NUMBER.fullmatch((text or "").strip())
    return float(match[0]) if match else None
