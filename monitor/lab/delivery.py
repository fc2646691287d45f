"""From an accepted message to a mailbox, and what happens to it there later."""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from monitor.lab.filters import Decision, Place, decide
from monitor.lab.journal import Move, Record
from monitor.lab.letters import read_subject, subject_line
from monitor.lab.links import rewrite
from monitor.lab.mailboxes import LabMailbox, Message
from monitor.lab.providers import UNFILTERED_DOMAIN, Profile
from monitor.lab.rules import Action, Subject
from monitor.lab.stamps import Receipt, stamp
from monitor.lab.world import World

DECIDING = (
    Action.SPAM,
    Action.QUARANTINE,
    Action.DROP,
    Action.TRUST,
    Action.TAB,
    Action.DELAY,
    Action.ZAP,
    Action.DUPLICATE,
    Action.AUTH_FAIL,
    Action.REWRITE_LINKS,
    Action.DEFER,
    Action.REJECT,
)
TRACES = {
    Place.INBOX: ("delivered", "Delivered", "Inbox/Folder", ""),
    Place.SPAM: ("filteredAsSpam", "Junked", "Junk", "Spam"),
    Place.QUARANTINE: ("quarantined", "Blocked", "Quarantine", "Phish"),
    Place.DROPPED: ("failed", "Blocked", "Dropped", ""),
    Place.REFUSED: ("failed", "Blocked", "Failed", ""),
}


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message for one recipient, as the SMTP client handed it over."""

    mail_from: str
    recipient: str  # lower case, a mailbox of this provider
    raw: bytes
    helo: str
    peer: str


class Delivery:
    """Puts one message into one mailbox, now or later. Called under `World.lock`."""

    def __init__(self, world: World, profile: Profile, arrival: Arrival) -> None:
        self._world = world
        self._profile = profile
        self._arrival = arrival
        self._mailbox: LabMailbox = world.mailboxes[arrival.recipient]
        self._subject: Subject = read_subject(arrival.raw, arrival.mail_from, arrival.recipient)
        self._record: Record | None = None
        self._decision = self._decide()

    def refuse(self) -> str:
        """Return the SMTP reply if the message is refused, else ""."""
        if self._decision.answer.startswith("5"):
            self._log(Place.REFUSED, self._world.now())
        return self._decision.answer

    def deliver(self) -> None:
        """Deliver now, or plan to."""
        world, decision = self._world, self._decision
        if decision.deliver_at is None:
            self._store(world.now())
            return
        self._log(decision.place, world.now(), status="pending")
        world.agenda.add(world.started_at + decision.deliver_at, self._store)

    def _decide(self) -> Decision:
        if self._arrival.recipient.endswith("@" + UNFILTERED_DOMAIN):
            return Decision()
        rules = tuple(self._world.rules(self._profile, *DECIDING))
        elapsed = self._world.elapsed()
        return decide(rules, self._subject, seed=self._world.seed, elapsed=elapsed)

    def _store(self, at: datetime) -> None:
        decision = self._decision
        self._log(decision.place, at)
        if decision.place is Place.DROPPED:
            return
        receipt = Receipt(
            recipient=self._arrival.recipient,
            mail_from=self._arrival.mail_from,
            from_domain=self._subject.from_domain,
            helo=self._arrival.helo,
            peer=self._arrival.peer,
            at=at,
            place=decision.place,
            authenticated=decision.authenticated,
            trusted=decision.trusted,
        )
        for _ in range(decision.times):
            message = self._message(receipt)
            if decision.place is Place.QUARANTINE:
                self._quarantine(message, receipt, at)
                continue
            folder = "INBOX" if decision.place is Place.INBOX else self._profile.spam
            self._mailbox.put(message, folder, at)
            if decision.zap_at is not None and decision.place is Place.INBOX:
                due = self._world.started_at + decision.zap_at
                self._world.agenda.add(due, partial(self._zap, message, receipt))

    def _message(self, receipt: Receipt) -> Message:
        raw, decision = self._arrival.raw, self._decision
        if decision.rewrites_links:
            raw = rewrite(raw, self._world.api_url)
        prefix = stamp(self._profile, receipt)
        message = Message(prefix, raw, number=self._world.next_number(), tab=decision.tab)
        if decision.place is Place.INBOX:
            message.labels = frozenset(("\\Inbox",))
        return message

    def _zap(self, message: Message, receipt: Receipt, at: datetime) -> None:
        was_read = any("\\Seen" in e.flags for _, e in self._mailbox.holders(message))
        if (self._decision.zap_unread_only and was_read) or not self._mailbox.withdraw(message):
            return
        message.labels = frozenset()
        if self._record is not None:
            zap = Move(at, "Moved to quarantine", "Phish ZAP", "ZAP", "Quarantine")
            self._record.move(zap, action="Blocked")
        self._quarantine(message, receipt, at)

    def _quarantine(self, message: Message, receipt: Receipt, at: datetime) -> None:
        if self._profile.removed_to:
            self._mailbox.put(message, self._profile.removed_to, at)
        for rule in self._world.rules(self._profile, Action.RESTORE, moment=at):
            if rule.matches(self._subject, self._world.seed):
                due = rule.moment(self._subject, self._world.seed, self._world.elapsed(at))
                restore = partial(self._restore, message, receipt)
                self._world.agenda.add(self._world.started_at + due, restore)
                return

    def _restore(self, message: Message, receipt: Receipt, at: datetime) -> None:
        self._mailbox.withdraw(message)
        released = replace(receipt, place=Place.INBOX, released=True, at=at)
        back = Message(
            stamp(self._profile, released),
            message.raw,
            number=message.number,
            tab=message.tab,
        )
        back.labels = frozenset(("\\Inbox",))
        if self._record is not None:
            release = Move(at, "Moved", "Manual remediation", "AdminAction", "Inbox/Folder")
            self._record.move(release, action="Delivered")
        self._mailbox.put(back, "INBOX", at)

    def _log(self, place: Place, at: datetime, *, status: str = "") -> None:
        """Keep the tenant's log, where there is a tenant."""
        if not self._profile.has_tenant_api:
            return
        usual, action, location, threat = TRACES[place]
        if self._record is not None:  # it was pending
            self._record.status = usual
            return
        self._record = Record(
            number=self._world.next_number(),
            message_id=self._subject.message_id,
            sender=self._arrival.mail_from,
            recipient=self._arrival.recipient,
            subject=subject_line(self._arrival.raw),
            size=len(self._arrival.raw),
            peer=self._arrival.peer,
            received_at=at,
            status=status or usual,
            action=action,
            location=location,
            threat=threat,
            latest_action=action,
            latest_location=location,
        )
        self._world.journal.add(self._record)
