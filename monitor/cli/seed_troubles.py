"""What is wrong with a seed, in one word, a sentence, and what to do about it."""

import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from monitor.core.campaigns import Handover, Outcome
from monitor.core.errors import (
    AgainLaterError,
    BadInputError,
    MailboxLockedError,
    NotFoundError,
    SeedwatchError,
    TransportRefusedError,
)
from monitor.core.seeds import Account, ProviderFacts
from monitor.evidence.smtp_replies import Kind, Known, Reply, read


class Trouble(StrEnum):
    """Why a seed cannot be used, as JSON says it."""

    CONFIGURATION = "configuration"  # the seed list or the configuration lacks something
    DNS = "dns"  # its server's name is not known
    CONNECTION = "connection"  # no connection, or it breaks
    TLS = "tls"  # no encryption to be had
    CERTIFICATE = "certificate"  # the server's certificate is not its own
    SIGN_IN = "sign_in"  # refused
    NEEDS_OAUTH = "needs_oauth"  # the provider takes no passwords
    GRANT = "grant"  # OAuth: never given, ended or withdrawn
    THROTTLED = "throttled"
    FULL = "full"  # the mailbox takes no more mail
    NO_INBOX = "no_inbox"
    BUSY = "busy"  # it may work later
    NOT_SENT = "not_sent"  # the message did not reach a server
    REJECTED = "rejected"  # a server refused the message for good
    NOT_FOUND = "not_found"  # sent, and found nowhere


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a seed."""

    trouble: Trouble
    says: str
    remedy: str


_REMEDIES = {
    Trouble.CONFIGURATION: "Mend the seed list or the configuration.",
    Trouble.DNS: "Check the host in the seed list, and that this machine's DNS works.",
    Trouble.CONNECTION: "Check the host and port of this seed, and that its server runs.",
    Trouble.TLS: "Check the port and security of this seed: 993 is tls, 143 is starttls.",
    Trouble.CERTIFICATE: "Check the host name, or name the file of its CA.",
    Trouble.SIGN_IN: "Check user name and password.",
    Trouble.NEEDS_OAUTH: "Sign in by OAuth: name an [oauth.NAME] in the seed list, then run "
    "seedwatch seeds authorize ADDRESS.",
    Trouble.GRANT: "Run: seedwatch seeds authorize ADDRESS",
    Trouble.THROTTLED: "Wait: the provider limits how often its mailboxes are asked. "
    "[reading] visits_per_minute makes Seedwatch ask less.",
    Trouble.FULL: "Delete old mail in this mailbox by hand: Seedwatch changes nothing in it.",
    Trouble.NO_INBOX: "Open the mailbox in a browser: the account may be new, or closed.",
    Trouble.BUSY: "Try again in some minutes.",
    Trouble.NOT_SENT: "Check the mail server in [sending]: seedwatch doctor looks at it.",
    Trouble.REJECTED: "Read what the server says: the address may not exist, or [alerts] "
    "from_address may not be allowed to send.",
    Trouble.NOT_FOUND: "It may be late: look into the mailbox in a browser, in spam and quarantine "
    "too, and try again with a longer --wait.",
}
_BY_KIND = {
    Kind.NO_SUCH_USER: "Check the seed's address.",
    Kind.AUTHENTICATION: "Let [alerts] from_address be at a domain whose SPF, DKIM and DMARC pass.",
    Kind.POLICY: "Let [alerts] from_address be an address of yours that can be answered.",
    Kind.OUTBOUND_BLOCKED: "The account may not send any more: look into it in a browser.",
}
# What servers say where a password will never do.
_OAUTH_WORDS = re.compile(r"basic ?auth|oauth|modern auth|web ?login ?required", re.IGNORECASE)
_THROTTLE_WORDS = re.compile(
    r"too many|throttl|rate limit|bandwidth|\[LIMIT\]|\[UNAVAILABLE\]|rests until", re.IGNORECASE
)
_FULL_WORDS = re.compile(r"over ?quota|mailbox (is )?full|quota exceeded", re.IGNORECASE)


def problem_of(error: SeedwatchError, account: Account | None, facts: ProviderFacts) -> Problem:
    """Say what *error*, raised while a mailbox was read, means and what to do.

    Args:
        account: None if it could not even be put together.
    """
    trouble = _trouble(error, account, facts)
    remedy = error.remedy
    if trouble in {Trouble.SIGN_IN, Trouble.NEEDS_OAUTH}:
        remedy = facts.login_remedy or remedy
    return _problem(trouble, error.what, remedy, account)


def problem_of_sending(error: SeedwatchError, account: Account) -> Problem:
    """Say what it means that no server took the message at all."""
    trouble = Trouble.CERTIFICATE if _is_certificate(error) else Trouble.NOT_SENT
    return _problem(trouble, f"the message was not sent: {error.what}", error.remedy, account)


def problem_of_handover(
    done: Handover, account: Account, replies: Sequence[Known]
) -> Problem | None:
    """Say what an outcome other than "accepted" means; None if the message is on its way.

    Args:
        replies: the known ones, by which a server's words are understood.
    """
    if done.outcome in {Outcome.ACCEPTED, Outcome.UNCERTAIN}:
        return None
    why = str(done.reply) if done.reply else done.problem
    told = read(why, replies) if done.reply else None
    if told is not None and told.kind is Kind.MAILBOX_FULL:
        return _problem(Trouble.FULL, f"its mailbox takes no mail: {why}", "", account)
    if done.outcome is Outcome.REJECTED:
        says = f"the message was sent and rejected: {why}"
        return _problem(Trouble.REJECTED, says, _remedy_of(told), account)
    remedy = ""
    if done.outcome is Outcome.DEFERRED:
        remedy = "Try again in some minutes: servers put off senders that they do not know."
    return _problem(Trouble.NOT_SENT, f"the message was not sent: {why}", remedy, account)


def _remedy_of(told: Reply | None) -> str:
    """Say what a refusal means, what to do about its kind, and where it is explained."""
    if told is None or not told.meaning:
        return ""
    page = f" See {told.page}" if told.page else ""
    return f"{told.meaning} {_BY_KIND.get(told.kind, '')}".strip() + page


def not_found(account: Account, waited_s: float, last: SeedwatchError | None) -> Problem:
    """Say that a message that was sent was not found, or could not be looked for."""
    if last is not None:
        says = f"the message was sent, and the mailbox could not be read then: {last.what}"
        return _problem(Trouble.NOT_FOUND, says, last.remedy, account)
    says = f"the message was sent and was in no folder within {waited_s:.0f} s"
    return _problem(Trouble.NOT_FOUND, says, "", account)


def _problem(trouble: Trouble, says: str, remedy: str, account: Account | None) -> Problem:
    told = remedy or _REMEDIES[trouble]
    if account is not None:
        told = told.replace("authorize ADDRESS", f"authorize {account.address}")
    return Problem(trouble, says, told)


def _trouble(error: SeedwatchError, account: Account | None, facts: ProviderFacts) -> Trouble:
    if isinstance(error, BadInputError | NotFoundError):
        return Trouble.CONFIGURATION
    of_network = _of_network(error)
    if of_network is not None:
        return of_network
    words = error.what
    if isinstance(error, MailboxLockedError | TransportRefusedError):
        return _of_refusal(words, account, facts)
    if _FULL_WORDS.search(words):
        return Trouble.FULL
    if _THROTTLE_WORDS.search(words) or _asks_to_wait(error):
        return Trouble.THROTTLED
    return Trouble.NO_INBOX if "inbox does not open" in words else Trouble.BUSY


def _asks_to_wait(error: SeedwatchError) -> bool:
    return isinstance(error, AgainLaterError) and error.retry_after is not None


def _of_refusal(words: str, account: Account | None, facts: ProviderFacts) -> Trouble:
    if "encryption" in words:
        return Trouble.TLS
    if account is not None and account.oauth:
        return Trouble.GRANT
    needs_oauth = facts.oauth_only or bool(_OAUTH_WORDS.search(words))
    return Trouble.NEEDS_OAUTH if needs_oauth else Trouble.SIGN_IN


def _of_network(error: SeedwatchError) -> Trouble | None:
    if _is_certificate(error):
        return Trouble.CERTIFICATE
    if "no TLS with" in error.what or "does not start TLS" in error.what:
        return Trouble.TLS
    for cause in _causes(error):
        if isinstance(cause, socket.gaierror | UnicodeError):
            return Trouble.DNS
        if isinstance(cause, ssl.SSLError):
            return Trouble.TLS
        if isinstance(cause, OSError):
            return Trouble.CONNECTION
    return None


def _is_certificate(error: BaseException) -> bool:
    return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield what lies behind *error*, itself first; a chain of errors ends."""
    cause: BaseException | None = error
    for _ in range(20):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__
