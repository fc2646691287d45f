"""What Microsoft's codes mean, in our words, with the page that says so.

Source: learn.microsoft.com, "Anti-spam message headers in cloud organizations". A value
that the page does not name has no meaning here: it is shown raw, never guessed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from monitor.evidence import pages

SFV = {
    "BLK": "blocked: the sender is on the mailbox's own list of blocked senders",
    "NSPM": "the spam filter took it for no spam",
    "SFE": "not filtered: the sender is on the mailbox's own list of safe senders",
    "SKA": "not filtered: an allow list of the organisation let it through",
    "SKB": "marked as spam by a block list of the organisation",
    "SKI": "not filtered: it came from inside the organisation",
    "SKN": "not filtered: a mail flow rule had marked it as no spam",
    "SKQ": "released from quarantine",
    "SKS": "marked as spam by a mail flow rule, before the filter",
    "SPM": "the spam filter took it for spam",
}
CAT = {
    "AMP": "malware",
    "BIMP": "imitates a brand",
    "BULK": "bulk mail",
    "DIMP": "imitates a protected domain",
    "FTBP": "an attachment of a forbidden type",
    "GIMP": "imitates somebody whom the recipient knows",
    "HPHISH": "phishing, with high confidence",
    "HPHSH": "phishing, with high confidence",
    "HSPM": "spam, with high confidence",
    "INTOS": "phishing from inside the organisation",
    "MALW": "malware",
    "NONE": "no category",
    "OSPM": "spam that leaves the organisation",
    "PHSH": "phishing",
    "SAP": "a dangerous attachment (Safe Attachments)",
    "SPM": "spam",
    "SPOOF": "a forged sender",
    "UIMP": "imitates a protected person",
}
IPV = {
    "CAL": "not filtered: the sending address is on the organisation's IP allow list",
    "NLI": "the sending address is on no reputation list",
}
SFTY = {
    "9.19": "imitates a protected domain",
    "9.20": "imitates a protected person",
    "9.25": "first contact: the recipient has had no mail from this sender before",
}
DIR = {
    "INB": "came in from outside",
    "OUT": "went out from this organisation",
    "INT": "stayed inside the organisation",
}
SRV = {"BULK": "bulk mail above the organisation's threshold"}
DEST = {
    "I": "put into the inbox",
    "J": "put into Junk",
    "C": "put into a folder of the mailbox's own rules",
    "D": "deleted by a rule of the mailbox",
}
# Seen on received mail; Microsoft has no page on them.
OFR = {
    "SPAMFILTERAUTHJ": "the filter decided",
    "SPAMFILTERPASS": "the filter decided",
    "TRUSTEDSENDERLIST": "the mailbox's own list of safe senders decided",
    "SENDERINADDRESSBOOK": "the sender is in the recipient's address book",
    "CUSTOMRULES": "a rule of the mailbox decided",
}
AUTH_AS = {
    "ANONYMOUS": "came without signing in, as mail from outside does",
    "INTERNAL": "was handed in by a signed-in sender of the organisation, so it was not filtered",
    "EXTERNAL": "came from outside through a trusted connector",
    "PARTNER": "came through a partner's connector",
}
# RFC 8601 section 2.7, and Microsoft's own; "pass" explains itself.
RESULTS = {
    "spf": {
        "fail": "the domain's SPF record forbids the sending address",
        "softfail": "the domain's SPF record doubts the sending address (~all)",
        "neutral": "the domain's SPF record says nothing about the sending address",
        "none": "the domain has no SPF record",
        "temperror": "the DNS could not be asked; it may pass later",
        "permerror": "the domain's SPF record is broken",
    },
    "dkim": {
        "fail": "no signature fits the message: it was changed, or the key is another",
        "neutral": "the signature could not be judged",
        "none": "the message is not signed",
        "policy": "the receiver does not accept the signature",
        "temperror": "the DNS could not be asked; it may pass later",
        "permerror": "the signature or the key in the DNS is broken",
    },
    "dmarc": {
        "bestguesspass": "the domain has no DMARC record; with one, it would have passed",
        "fail": "neither SPF nor DKIM passed for the domain in From",
        "none": "the domain has no DMARC record",
        "temperror": "the DNS could not be asked; it may pass later",
        "permerror": "the domain's DMARC record is broken",
    },
    "arc": {
        "fail": "the chain is broken",
        "none": "there is no chain",
    },
    "compauth": {
        "fail": "Microsoft's own check, of all signs together, failed",
        "softpass": "Microsoft's own check, of all signs together, passed without proof",
        "none": "Microsoft's own check was not made",
    },
}
_REASON = {
    "000": "failed: DMARC failed and the domain's policy is quarantine or reject",
    "001": "failed: no authentication records, or none that settle it",
    "002": "failed: an administrator forbade this sender to use this domain",
    "010": "failed: it uses a domain of the recipient's own organisation, and DMARC failed",
    "130": "passed: DMARC failed, but a trusted ARC chain outweighed that",
}
_REASON_CLASS = {
    "1": "passed",
    "2": "passed softly: nothing was published, but the sender looks like itself",
    "3": "not checked",
    "4": "passed over",
    "6": "failed: it uses a domain of the recipient's own organisation without authentication",
    "7": "passed",
    "9": "passed over",
}


@dataclass(frozen=True, slots=True)
class Code:
    """One code as it stood in the headers; `meaning` and `page` where its writer has one."""

    name: str
    value: str
    meaning: str | None
    page: str | None


_TABLES: tuple[tuple[str, Mapping[str, str], str | None], ...] = (
    ("cat", CAT, pages.MICROSOFT),
    ("sfv", SFV, pages.MICROSOFT),
    ("srv", SRV, pages.MICROSOFT),
    ("ipv", IPV, pages.MICROSOFT),
    ("sfty", SFTY, pages.MICROSOFT),
    ("dir", DIR, pages.MICROSOFT),
    ("dest", DEST, None),
    ("ofr", OFR, None),
    ("auth_as", AUTH_AS, pages.EXCHANGE_HEADERS),
)


def microsoft(facts: Mapping[str, object]) -> list[Code]:
    """Explain the facts of the filter `microsoft`, the most telling first."""
    found: list[Code] = []
    scl, bcl = facts.get("scl"), facts.get("bcl")
    if isinstance(scl, int):
        found.append(Code("SCL", str(scl), _scl(scl), pages.MICROSOFT_SCL))
    for name, table, page in _TABLES:
        value = facts.get(name)
        if isinstance(value, str) and value:
            meaning = table.get(value.upper())
            found.append(Code(name.upper(), value, meaning, page))
    if isinstance(bcl, int):
        found.append(Code("BCL", str(bcl), _bcl(bcl), pages.MICROSOFT_BCL))
    pcl = facts.get("pcl")
    if isinstance(pcl, int):
        found.append(Code("PCL", str(pcl), _pcl(pcl), pages.EXCHANGE_HEADERS))
    if facts.get("bypass_focused_inbox") is True:
        meaning = "a mail flow rule sends it past the sorting into Focused and Other"
        found.append(Code("BypassFocusedInbox", "true", meaning, pages.MICROSOFT_FOCUSED))
    custom = facts.get("custom_spam")
    if isinstance(custom, str):
        meaning = "an Advanced Spam Filter setting of the organisation matched"
        found.append(Code("X-CustomSpam", custom, meaning, pages.MICROSOFT_ASF))
    return found


def results(found: Mapping[str, str | None]) -> list[Code]:
    """Explain what is not a plain pass in the results of a receiver's checks."""
    told: list[Code] = []
    for method, meanings in RESULTS.items():
        result = found.get(method)
        if result and result != "pass":
            page = pages.MICROSOFT_AUTH if method == "compauth" else pages.RFC_AUTHRES
            told.append(Code(method, result, meanings.get(result), page))
    reason = found.get("compauth_reason")
    if reason:
        told.append(Code("compauth reason", reason, compauth_reason(reason), pages.MICROSOFT))
    return told


def compauth_reason(reason: str) -> str | None:
    """Say what the three digits behind `compauth` mean; None where Microsoft does not."""
    return _REASON.get(reason) or _REASON_CLASS.get(reason[:1])


def _scl(level: int) -> str | None:
    if level == -1:
        return "not filtered"
    if level in {0, 1}:
        return "no spam"
    if level in {5, 6}:
        return "spam"
    return "spam, with high confidence" if level in {8, 9} else None


def _bcl(level: int) -> str | None:
    """The bands of Microsoft's page on the bulk complaint level."""
    if level == 0:
        return "not from a bulk sender"
    if 1 <= level <= 3:
        return "from a bulk sender with few complaints"
    if 4 <= level <= 7:
        return "from a bulk sender with a mixed number of complaints"
    return "from a bulk sender with many complaints" if level in {8, 9} else None


def _pcl(level: int) -> str | None:
    """Exchange Server's phishing confidence level, 1 to 8."""
    if 1 <= level <= 3:
        return "no phishing"
    return "most likely phishing" if 4 <= level <= 8 else None
