"""Enhanced status codes: RFC 3463 and what was registered since (RFC 4954, 5248, 6531,
6710, 7293, 7372, 7505, 8617, 8689).

Source: IANA, "SMTP Enhanced Status Codes". The words are ours. A code that is not in the
registry has no meaning here; some providers use such codes, and use registered ones in
senses of their own (Google's 5.7.27 to 5.7.30), which `smtp_replies` knows.
"""

import re
from dataclasses import dataclass

from monitor.evidence import pages

_CODE = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.]\d|\d)")

MEANINGS = {
    "0.0": "something that the receiver does not say",
    "1.0": "something about the address",
    "1.1": "no such mailbox",
    "1.2": "the recipient's domain takes no mail or does not exist",
    "1.3": "the recipient's address is not written as one",
    "1.4": "the recipient's address fits several mailboxes",
    "1.5": "the address is valid",
    "1.6": "the mailbox has moved, and left no new address",
    "1.7": "the sender's address is not written as one",
    "1.8": "the sender's domain is not accepted",
    "1.9": "handed on to a system that sends no reports",
    "1.10": "the recipient's domain says that it takes no mail (null MX)",
    "2.0": "something about the mailbox",
    "2.1": "the mailbox is switched off",
    "2.2": "the mailbox is full",
    "2.3": "the message is too large for this mailbox",
    "2.4": "the mailing list could not be expanded",
    "3.0": "something about the receiving system",
    "3.1": "the receiving system's disk is full",
    "3.2": "the receiving system takes no mail at the moment",
    "3.3": "the receiving system lacks a feature that was asked for",
    "3.4": "the message is too large for the receiving system",
    "3.5": "the receiving system is set up wrongly",
    "3.6": "the requested priority was changed",
    "4.0": "something about the network or the route",
    "4.1": "the receiving host did not answer",
    "4.2": "the connection broke",
    "4.3": "a directory, such as the DNS, could not be asked",
    "4.4": "no route to the receiving host",
    "4.5": "the receiving system is congested",
    "4.6": "the message went round in circles",
    "4.7": "it was tried for as long as the sending system tries",
    "5.0": "something about the protocol",
    "5.1": "a command that was not valid there",
    "5.2": "a command that was not understood",
    "5.3": "too many recipients in one go",
    "5.4": "arguments that a command does not take",
    "5.5": "another version of the protocol is needed",
    "5.6": "a line of the sign-in was too long",
    "6.0": "something about the content",
    "6.1": "this kind of content is not taken",
    "6.2": "the content would have to be converted, which is forbidden",
    "6.3": "the content would have to be converted, which is not possible",
    "6.4": "the content was converted with a loss",
    "6.5": "converting the content failed",
    "6.6": "the content is not available",
    "6.7": "addresses in other scripts are not taken there",
    "6.8": "a reply in UTF-8 would be needed",
    "6.9": "header fields in UTF-8 are not taken there",
    "7.0": "something about security or policy",
    "7.1": "the receiver does not take it from this sender",
    "7.2": "this sender may not write to the mailing list",
    "7.3": "the message would have to be converted for security, which is not possible",
    "7.4": "a security feature is not supported",
    "7.5": "encryption failed",
    "7.6": "an encryption method is not supported",
    "7.7": "the message was changed on its way",
    "7.8": "the sign-in was wrong",
    "7.9": "the sign-in method is too weak",
    "7.10": "encryption is needed",
    "7.11": "this sign-in method needs encryption",
    "7.12": "the password must be changed over",
    "7.13": "the account is switched off",
    "7.14": "a trust relationship is needed",
    "7.15": "the priority is too low",
    "7.16": "the message is too large for its priority",
    "7.17": "the mailbox belongs to somebody else now",
    "7.18": "the domain belongs to somebody else now",
    "7.19": "it could not be checked whether the owner has changed",
    "7.20": "no DKIM signature passed",
    "7.21": "no acceptable DKIM signature",
    "7.22": "no DKIM signature of the From domain",
    "7.23": "SPF failed",
    "7.24": "SPF could not be checked",
    "7.25": "the sending address has no matching name in the DNS (PTR)",
    "7.26": "several authentication checks failed",
    "7.27": "the sender's domain says that it takes no mail (null MX)",
    "7.28": "too much mail in a short time",
    "7.29": "the ARC chain failed",
    "7.30": "the next host cannot promise encryption",
}


@dataclass(frozen=True, slots=True)
class Status:
    """An enhanced status code; `meaning` is None where the registry has none."""

    code: str
    is_permanent: bool
    meaning: str | None
    page: str = pages.IANA_STATUS

    @property
    def detail(self) -> str:
        """Without the class: "7.26" of 5.7.26."""
        return self.code.partition(".")[2]


def find(text: str) -> Status | None:
    """Return the first enhanced status code in *text*, if there is one. Never raises.

    Parts of addresses like 192.0.2.5.7.1 are none.
    """
    match = _CODE.search(text[:2000])
    if match is None:
        return None
    detail = f"{int(match[2])}.{int(match[3])}"
    return Status(f"{match[1]}.{detail}", match[1] == "5", MEANINGS.get(detail))
