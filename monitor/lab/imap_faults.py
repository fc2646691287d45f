"""What a scenario does to people who read their mail."""

from monitor.lab.imap_parse import Command, RefusedError
from monitor.lab.imap_session import DroppedError, Session
from monitor.lab.mailboxes import LabMailbox
from monitor.lab.rules import Action

BUSY_COMMANDS = {"SELECT", "EXAMINE", "SEARCH", "FETCH", "STATUS"}
BUSY_TEXT = "[UNAVAILABLE] Server busy, try again later"
LOCK_TEXT = "[ALERT] Please log in via your web browser"
LIMIT_TEXT = "[LIMIT] Too many simultaneous connections"


def connect(session: Session) -> None:
    """Raises DroppedError while the provider's IMAP is down."""
    if any(session.world.rules(session.profile, Action.IMAP_OUTAGE)):
        raise DroppedError


def wall_wait_s(session: Session) -> float:
    """How long, by the wall clock, the next command takes."""
    address = session.mailbox.address if session.mailbox else ""
    rule = session.world.rule_for(session.profile, address, Action.IMAP_SLOW)
    return rule.wait.total_seconds() if rule else 0.0


def admit(session: Session, mailbox: LabMailbox) -> None:
    """Let the scenario refuse a sign-in whose password was right."""
    lock = session.world.rule_for(session.profile, mailbox.address, Action.IMAP_LOCK)
    if lock is not None:
        raise RefusedError(lock.text or LOCK_TEXT)
    limit = session.world.rule_for(session.profile, mailbox.address, Action.IMAP_LIMIT)
    if limit is not None and mailbox.sessions >= limit.connections:
        raise RefusedError(LIMIT_TEXT)


def check(session: Session, command: Command) -> None:
    """Let the scenario drop or refuse a command before it runs."""
    connect(session)
    if session.mailbox is None:
        return
    address = session.mailbox.address
    if command.name in BUSY_COMMANDS:
        busy = session.world.rule_for(session.profile, address, Action.IMAP_BUSY)
        if busy is not None:
            raise RefusedError(busy.text or BUSY_TEXT)
