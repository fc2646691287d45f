"""The header fields that each provider writes on top of a message it received.

Field names, order and values follow what the providers were seen to write; receiving
hosts and authserv-ids are their real names, so that a parser tells them apart as in life.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from hashlib import blake2b

from monitor.lab.filters import Place
from monitor.lab.providers import Profile


@dataclass(frozen=True, slots=True)
class Receipt:
    """The circumstances in which a provider received a message."""

    recipient: str
    mail_from: str
    from_domain: str
    helo: str
    peer: str  # IP address
    at: datetime
    place: Place
    authenticated: bool = True
    trusted: bool = False
    released: bool = False  # came back from quarantine

    @property
    def is_bad(self) -> bool:
        return self.place in {Place.SPAM, Place.QUARANTINE}

    @property
    def auth(self) -> str:
        return "pass" if self.authenticated else "fail"

    @property
    def envelope_domain(self) -> str:
        return self.mail_from.rpartition("@")[2] or self.from_domain


def stamp(profile: Profile, receipt: Receipt) -> bytes:
    """Return the header block, CRLF at each line's end, to be put before the message."""
    lines = [
        f"Return-Path: <{receipt.mail_from}>",
        *STAMPS[profile.id](receipt),
        *_received(profile, receipt),
    ]
    return "".join(f"{_clean(line)}\r\n" for line in lines).encode("utf-8", "surrogateescape")


def _clean(line: str) -> str:
    """Nothing that a client sent may end a header line of ours."""
    return line if line.isprintable() else "".join(c if c.isprintable() else "?" for c in line)


def _received(profile: Profile, r: Receipt) -> list[str]:
    name = "unknown" if r.helo.startswith("[") else r.helo
    return [
        (
            f"Received: from {r.helo} ({name} [{r.peer}]) by {profile.host} with ESMTP"
            f" id {_queue_id(r)} for <{r.recipient}>; {format_datetime(r.at)}"
        )
    ]


def _queue_id(r: Receipt) -> str:
    text = f"{r.recipient} {r.mail_from} {r.at.isoformat()}"
    return blake2b(text.encode("utf-8", "replace"), digest_size=6).hexdigest()


def _google(r: Receipt) -> list[str]:
    return [
        f"Delivered-To: {r.recipient}",
        (
            f"Received-SPF: {r.auth} (google.com: domain of {r.mail_from} designates {r.peer} as"
            f" permitted sender) client-ip={r.peer};"
        ),
        (
            f"Authentication-Results: mx.google.com; dkim={r.auth} header.i=@{r.from_domain}"
            f" header.s=s1 header.b=Zm9vYmFy; spf={r.auth} (google.com: domain of {r.mail_from}"
            f" designates {r.peer} as permitted sender) smtp.mailfrom={r.mail_from};"
            f" dmarc={r.auth} (p=NONE sp=NONE dis=NONE) header.from={r.from_domain}"
        ),
    ]


def _scl(r: Receipt) -> int:
    if r.trusted or r.released:
        return -1
    if r.place is Place.QUARANTINE:
        return 9
    return 5 if r.is_bad else 1


def _microsoft(r: Receipt) -> list[str]:
    reason = "reason=100" if r.authenticated else "reason=000"
    verified = "signature was verified" if r.authenticated else "signature did not verify"
    action = "none" if r.authenticated else "oreject"
    placed = "OFR:TrustedSenderList;" if r.trusted else "OFR:SpamFilterAuthJ;" if r.is_bad else ""
    return [
        (
            f"Authentication-Results: spf={r.auth} (sender IP is {r.peer})"
            f" smtp.mailfrom={r.envelope_domain}; dkim={r.auth} ({verified})"
            f" header.d={r.from_domain};dmarc={r.auth} action={action}"
            f" header.from={r.from_domain};compauth={r.auth} {reason}"
        ),
        f"X-MS-Exchange-Organization-SCL: {_scl(r)}",
        "X-Microsoft-Antispam: BCL:0;",
        "X-Microsoft-Antispam-Mailbox-Delivery: ucf:0;jmr:0;auth:0;"
        f"dest:{'J' if r.is_bad else 'I'};{placed}ENG:(5062000305)(920221119095);"
        + ("RF:JunkEmail;" if r.is_bad else ""),
    ]


def _microsoft365(r: Receipt) -> list[str]:
    category = {Place.SPAM: "SPM", Place.QUARANTINE: "HPHISH"}.get(r.place, "NONE")
    verdict = "SPM" if r.is_bad else "NSPM"
    if r.released:
        verdict = "SKQ"
    elif r.trusted:
        verdict = "SFE"
    return [
        *_microsoft(r),
        (
            f"X-Forefront-Antispam-Report: CIP:{r.peer};CTRY:;LANG:en;SCL:{_scl(r)};SRV:;IPV:NLI;"
            f"SFV:{verdict};H:{r.helo};PTR:{r.helo};CAT:{category};SFS:(13230040);DIR:INB;"
        ),
    ]


def _yahoo(r: Receipt) -> list[str]:
    bulk = [f"X-YahooFilteredBulk: {r.peer}"] if r.is_bad else []
    return [
        *bulk,
        f"X-Apparently-To: {r.recipient}; {format_datetime(r.at)}",
        "X-YMailISG: d2VpZ2h0cyBvZiBhIGZpbHRlcg--",
        (
            f"Received-SPF: {r.auth} (domain of {r.envelope_domain} designates {r.peer}"
            " as permitted sender)"
        ),
        (
            "Authentication-Results: atlas-production.v2-mail-prod1-gq1.omega.yahoo.com;"
            f" dkim={r.auth} header.i=@{r.from_domain} header.s=s1;"
            f" spf={r.auth} smtp.mailfrom={r.envelope_domain};"
            f" dmarc={r.auth}(p=NONE) header.from={r.from_domain};"
        ),
    ]


def _icloud(r: Receipt) -> list[str]:
    return [
        f"Authentication-Results: dmarc.icloud.com; dmarc={r.auth} header.from={r.from_domain}",
        (
            f"Authentication-Results: dkim-verifier.icloud.com; dkim={r.auth} (2048-bit key)"
            f" header.d={r.from_domain} header.i=@{r.from_domain}"
        ),
        (
            f"Authentication-Results: spf.icloud.com; spf={r.auth} (spf.icloud.com: domain of"
            f" {r.mail_from} designates {r.peer} as permitted sender) smtp.mailfrom={r.mail_from}"
        ),
    ]


def _gmx(r: Receipt) -> list[str]:
    return [
        f"Authentication-Results: gmx.net; dkim={r.auth} header.i=@{r.from_domain}",
        f"X-Spam-Flag: {'YES' if r.is_bad else 'NO'}",
        f"X-UI-Filterresults: {'junk:10' if r.is_bad else 'notjunk:1'};V03:K0:bGFi;",
        "X-GMX-Antispam: "
        + (
            "6 (nemesis mail header analyzer)"
            if r.is_bad
            else "0 (Mail was not recognized as spam)"
        ),
    ]


def _corporate(r: Receipt) -> list[str]:
    score = "7.1" if r.is_bad else "-0.2"
    tests = "DKIM_VALID,SPF_PASS" if r.authenticated else "DKIM_INVALID,SPF_FAIL"
    return [
        (
            f"Authentication-Results: mx.corporate.lab.example; dkim={r.auth}"
            f" header.d={r.from_domain}; spf={r.auth} smtp.mailfrom={r.envelope_domain};"
            f" dmarc={r.auth} header.from={r.from_domain}"
        ),
        f"X-Spam-Flag: {'YES' if r.is_bad else 'NO'}",
        f"X-Spam-Score: {score}",
        (
            f"X-Spam-Status: {'Yes' if r.is_bad else 'No'}, score={score} required=5.0"
            f" tests={tests} autolearn=no"
        ),
    ]


STAMPS: dict[str, Callable[[Receipt], list[str]]] = {
    "gmail": _google,
    "google_workspace": _google,
    "outlook": _microsoft,
    "microsoft365": _microsoft365,
    "yahoo": _yahoo,
    "icloud": _icloud,
    "gmx": _gmx,
    "corporate": _corporate,
}
