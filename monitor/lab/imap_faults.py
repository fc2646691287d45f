"""What a scenario does to people who read their mail."""

from datetime import datetime
from functools import partial

from monitor.lab.imap_parse import Command, RefusedError
from monitor.lab.imap_session import DroppedError, Session
from monitor.lab.mailboxes import LabMailbox
from monitor.lab.rules import Action, Rule, Subject
from monitor.lab.world import World

BUSY_COMMANDS = {"SELECT", "EXAMINE", "SEARCH", "FETCH", "STATUS"}
BUSY_TEXT = "[UNAVAILABLE] Server busy, try again later"
LOCK_TEXT = "[ALERT] Please log in via your web browser"
LIMIT_TEXT = "[LIMIT] Too many simultaneous connections"


def plan_revalidations(world: World) -> None:
    """Put the changes of UIDVALIDITY that the scenario has on the agenda."""
    for rule in world.scenario.rules:
        if rule.action is Action.IMAP_REVALIDATE:
            world.agenda.add(world.started_at + rule.starts, partial(_revalidate, world, rule))


def _revalidate(world: World, rule: Rule, at: datetime) -> None:
    for address, mailbox in world.mailboxes.items():
        profile = world.profile_of(address)
        is_meant = rule.matches(Subject(recipient=address), world.seed)
        if profile is None or not is_meant or not rule.holds(profile.id, world.elapsed(at)):
            continue
        for folder in mailbox.folders.values():
            folder.revalidate()


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
