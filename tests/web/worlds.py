"""Small histories, written as rows, for the pages to tell."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, insert
from sqlmodel import Session, col, select

from monitor.core.campaigns import Outcome
from monitor.core.incidents import Cause, Evidence, IncidentEvent, State, Tally
from monitor.core.placements import Placement
from monitor.core.ports import LinkState
from monitor.core.seeds import ProviderFacts
from monitor.store import incidents
from monitor.store.columns import saved
from monitor.store.route_tables import RouteRow
from monitor.store.tables import (
    CampaignRow,
    CopyRow,
    EvidenceRow,
    HandoverRow,
    LinkCheckRow,
    OrganisationRow,
    SeedListRow,
    SeedRow,
    SenderRow,
    SightingRow,
    TestRow,
)
from monitor.store.verdict_tables import AdvisoryRow, AlertRow
from tests.providers import NAMES

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)
HOUR = timedelta(hours=1)
FACTS = {
    key: ProviderFacts(id=key, name=name, mx=(), imap=None, folders={})
    for key, name in NAMES.items()
}
SENDERS = ("northwind", "fabrikam", "contoso", "tailspin", "adatum")
FOLDERS = {Placement.INBOX: "INBOX", Placement.SPAM: "Junk", Placement.TAB: "INBOX"}
LINK = "lnk.example.net"

# (sender, provider, number of the seed, when sent) -> what the looks tell, oldest first
Fate = Callable[[str, str, int, datetime], Sequence[Placement]]


@dataclass
class World:
    """Writes rows. Everything happens before NOW."""

    engine: Engine
    senders: dict[str, int] = field(default_factory=dict)
    seeds: list[tuple[int, str, int]] = field(default_factory=list)  # id, provider, number
    tests: list[str] = field(default_factory=list)
    numbers: int = 0

    def begin(self, *, providers: Sequence[str] = tuple(NAMES), each: int = 4) -> None:
        with Session(self.engine) as session:
            session.add(OrganisationRow(id=1, name="Example"))
            session.flush()
            for name in SENDERS:
                self.senders[name] = self.add_sender(session, name, name.title())
            begun = NOW - 90 * HOUR
            session.add(SeedListRow(id=1, organisation_id=1, name="all", created_at=begun))
            for provider in providers:
                for number in range(each):
                    seed = SeedRow(
                        organisation_id=1,
                        address=f"seed{number}@{provider}.lab.example",
                        provider=provider,
                    )
                    session.add(seed)
                    session.flush()
                    self.seeds.append((saved(seed.id), provider, number))
            session.commit()

    def add_sender(self, session: Session, key: str, name: str) -> int:
        row = SenderRow(
            organisation_id=1,
            key=f"{key}.example.org",
            name=name,
            from_domain=f"{key}.example.org",
            mail_from=f"bounce@{key}.example.org",
        )
        session.add(row)
        session.flush()
        return saved(row.id)

    def send(
        self,
        sender: str,
        at: datetime,
        fate: Fate,
        *,
        reply: str = "2.0.0 queued",
        **campaign: Any,
    ) -> str:
        """Send one test; return its uid. Looks come at 5 min, 1 h, 4 h, 8 h and so on."""
        self.numbers += 1
        uid = f"t{self.numbers:04d}"
        with Session(self.engine) as session:
            fields: dict[str, Any] = {
                "organisation_id": 1,
                "sender_id": self.senders[sender],
                "name": f"{sender.title()} news",
                "from_address": f"news@{sender}.example.org",
                "from_name": sender.title(),
                "subject": "Spring offers",
                "text": "Hello",
            }
            row = CampaignRow(**(fields | campaign))
            session.add(row)
            session.flush()
            test = TestRow(
                organisation_id=1,
                campaign_id=saved(row.id),
                seed_list_id=1,
                uid=uid,
                token=f"token-{uid}",
                idempotency_key=uid,
                created_at=at,
                send_at=at,
                features={"all": [f"url:{LINK}", "esp:mailer"]},
            )
            session.add(test)
            session.flush()
            self._copies(session, test, sender, fate, reply)
            session.commit()
        self.tests.append(uid)
        return uid

    def _copies(self, session: Session, test: TestRow, sender: str, fate: Fate, reply: str) -> None:
        looks = []
        for seed, provider, number in self.seeds:
            copy = CopyRow(
                test_id=saved(test.id),
                seed_id=seed,
                provider=provider,
                message_id=f"<{test.uid}.{provider}.{number}@{sender}.example.org>",
            )
            session.add(copy)
            session.flush()
            told = fate(sender, provider, number, test.send_at)
            session.add(
                HandoverRow(
                    copy_id=saved(copy.id),
                    attempt=1,
                    started_at=test.send_at,
                    finished_at=test.send_at + timedelta(seconds=2),
                    outcome=Outcome.ACCEPTED,
                    code=250,
                    text=reply,
                )
            )
            looks += [
                {
                    "copy_id": copy.id,
                    "looked_at": test.send_at + (timedelta(minutes=5) if n == 0 else n * HOUR),
                    "placement": placement,
                    "folder": FOLDERS.get(placement, ""),
                    "tab": "Promotions" if placement is Placement.TAB else "",
                    "reason": "sign-in refused" if placement is Placement.UNKNOWN else "",
                    "contaminated": False,
                }
                for n, placement in enumerate(told)
                if test.send_at + n * HOUR < NOW
            ]
        if looks:
            session.connection().execute(insert(SightingRow), looks)

    def rounds(self, fate: Fate, *, hours: int = 40) -> None:
        """Every sender sends every two hours."""
        for back in range(hours, 0, -2):
            for n, sender in enumerate(SENDERS):
                self.send(sender, NOW - back * HOUR + n * timedelta(minutes=3), fate)

    def tell(self, *events: IncidentEvent) -> None:
        with Session(self.engine) as session:
            for event in events:
                row = incidents.append(session, event)
                self.alert(session, event, saved(row.id))
            session.commit()

    def alert(self, session: Session, event: IncidentEvent, row: int, number: int = 0) -> None:
        if event.state is State.SUSPECTED:
            return
        route = RouteRow(
            organisation_id=1, address=f"marketing-{event.incident[:20]}-{row}{number}@example.org"
        )
        session.add(route)
        session.flush()
        session.add(
            AlertRow(
                incident=event.incident,
                topic=f"{event.state}/{event.cause}",
                state=event.state,
                cause=event.cause,
                event_id=row,
                route_id=saved(route.id),
                message_id=f"<alert-{row}.{number}@example.org>",
                subject=f"[Seedwatch] {event.sentence[:80]}",
                created_at=event.at,
                due_at=event.at,
                attempts=1,
                sent_at=event.at + timedelta(seconds=20),
            )
        )

    def check_links(self, uid: str, state: LinkState, url: str, provider: str) -> None:
        with Session(self.engine) as session:
            session.add(
                LinkCheckRow(
                    test_id=self.test_id(session, uid),
                    provider=provider,
                    url=url,
                    state=state,
                    rewritten=True,
                    detail="the provider shows a warning page",
                    checked_at=NOW - HOUR,
                )
            )
            session.commit()

    def test_id(self, session: Session, uid: str) -> int:
        return int(uid[1:])

    def prove(self, uid: str, facts: dict[str, Any]) -> None:
        """Keep evidence for every copy of a test."""
        with Session(self.engine) as session:
            test = self.test_id(session, uid)
            for copy in session.exec(select(CopyRow).where(col(CopyRow.test_id) == test)):
                session.add(
                    EvidenceRow(
                        copy_id=saved(copy.id),
                        recorded_at=NOW,
                        received_at=NOW - 2 * HOUR,
                        facts=facts,
                    )
                )
            session.commit()


GOOD_FACTS: dict[str, Any] = {
    "receiver": "microsoft365",
    "authentication": {
        "spf": "pass",
        "dkim": "pass",
        "dmarc": "pass",
        "arc": None,
        "compauth": "pass",
        "compauth_reason": "100",
    },
    "filters": [
        {
            "name": "microsoft",
            "facts": {"scl": 9, "cat": "HPHSH", "sfv": "SPM", "contaminated": False},
            "judged": "phish",
            "meaning": "high-confidence phishing",
        }
    ],
    "hops": [],
    "transit_s": 12.0,
    "unknown": [],
}


def well(sender: str, provider: str, number: int, at: datetime) -> Sequence[Placement]:
    """Everything arrives; half of Gmail's goes to a tab; here and there one is spam."""
    if provider == "gmail" and number > 1:
        return [Placement.TAB] * 4
    if provider == "yahoo" and number == 0 and at.hour == 3:
        return [Placement.SPAM] * 4
    return [Placement.INBOX] * 4


ONSET = NOW - 14 * HOUR


def microsoft(sender: str, provider: str, number: int, at: datetime) -> Sequence[Placement]:
    """From ONSET on, Microsoft 365 quarantines the mail of three senders, and takes some back."""
    is_hit = provider == "microsoft365" and sender in SENDERS[:3]
    if is_hit and at >= ONSET:
        return [Placement.QUARANTINE] * 4
    if is_hit and at >= ONSET - 2 * HOUR:
        return [Placement.INBOX, Placement.INBOX, *[Placement.REMOVED] * 4]
    return well(sender, provider, number, at)


def one_sender(sender: str, provider: str, number: int, at: datetime) -> Sequence[Placement]:
    """Northwind's mail is spam everywhere."""
    if sender == "northwind" and at >= ONSET:
        return [Placement.SPAM] * 4
    return well(sender, provider, number, at)


def both(sender: str, provider: str, number: int, at: datetime) -> Sequence[Placement]:
    fate = microsoft if provider == "microsoft365" else one_sender
    return fate(sender, provider, number, at)


def unseen(sender: str, provider: str, number: int, at: datetime) -> Sequence[Placement]:
    return []


def silent(sender: str, provider: str, number: int, at: datetime) -> Sequence[Placement]:
    """No look tells anything: mailboxes cannot be read, or nothing has come yet."""
    return [Placement.UNKNOWN if number % 2 else Placement.PENDING] * 3


def provider_incident(
    tests: Sequence[str], *, until: State = State.CONFIRMED
) -> list[IncidentEvent]:
    """The life of the Microsoft incident, up to state *until*."""
    life = (
        (1.5, State.SUSPECTED, {Cause.PROVIDER_FEATURE: 0.71, Cause.SENDER: 0.2}, "first hits"),
        (2.5, State.CONFIRMED, {Cause.PROVIDER_FEATURE: 0.97, Cause.PROVIDER: 0.02}, "all agree"),
        (12.0, State.RECOVERING, {Cause.PROVIDER_FEATURE: 0.97}, "the hit senders arrive again"),
        (13.5, State.CLOSED, {Cause.PROVIDER_FEATURE: 0.97}, "good for long enough"),
    )
    events = []
    for hours, state, posterior, reason in life:
        events.append(
            _event(
                incident="microsoft365/2026-03-01T18",
                at=ONSET + hours * HOUR,
                state=state,
                cause=Cause.PROVIDER_FEATURE,
                posterior=posterior,
                sentence="Microsoft 365 is quarantining mail that links to lnk.example.net: "
                "3 of 3 senders hit since 2026-03-01 18:00 UTC. It is not you. "
                "Gmail, Yahoo and iCloud are normal.",
                reason=reason,
                provider="microsoft365",
                feature=f"url:{LINK}",
                hit=SENDERS[:3],
                tests=tests,
            )
        )
        if state is until:
            break
    return events


def sender_incident(tests: Sequence[str]) -> list[IncidentEvent]:
    return [
        _event(
            incident="northwind.example.org/2026-03-01T19",
            at=ONSET + 4 * HOUR,
            state=State.CONFIRMED,
            cause=Cause.SENDER,
            posterior={Cause.SENDER: 0.92},
            sentence="Mail from northwind.example.org goes to spam at all 8 providers: "
            "1 of 5 senders; the others are normal. It is this sender's mail, not the providers.",
            reason="spam everywhere",
            sender="northwind.example.org",
            hit=SENDERS[:1],
            tests=tests,
        )
    ]


def _event(*, hit: Sequence[str], tests: Sequence[str], **told: Any) -> IncidentEvent:
    spared = [s for s in SENDERS if s not in hit]
    return IncidentEvent(
        start=ONSET,
        start_low=ONSET - HOUR,
        start_high=ONSET + HOUR / 2,
        hit=tuple(f"{s}.example.org" for s in hit),
        spared=tuple(f"{s}.example.org" for s in spared),
        tests=tuple(tests),
        evidence=Evidence(
            hit=tuple(Tally(f"{s}.example.org", 24, 22, 10.6, 0.68, 0.98, 0.02) for s in hit),
            spared=tuple(Tally(f"{s}.example.org", 24, 0, 10.6, 0.0, 0.27, 0.02) for s in spared),
            controls=tuple(Tally(p, 96, 1, 42.0, 0.0, 0.06, 0.02) for p in ("gmail", "yahoo")),
            placements={"quarantine": 60, "removed": 6},
        ),
        **told,
    )


def advisory(session: Session) -> None:
    """What the provider published, in two versions; the later one revises the start."""
    shared = {
        "advisory": "MO255463",
        "provider": "microsoft365",
        "title": "Legitimate mail with links may be quarantined",
        "text": "Users may find that legitimate messages are quarantined.",
        "published_at": ONSET + 10.5 * HOUR,
        "url": "https://status.example.com/MO255463",
        "seen_at": ONSET + 11 * HOUR,
    }
    session.add(
        AdvisoryRow(
            **shared,
            started_at=ONSET + 8 * HOUR,
            updated_at=ONSET + 10.5 * HOUR,
            is_resolved=False,
        )
    )
    session.add(
        AdvisoryRow(**shared, started_at=ONSET, updated_at=ONSET + 12 * HOUR, is_resolved=False)
    )
    session.commit()


def story(world: World) -> None:
    """Both troubles at once, with all that belongs to them."""
    world.begin()
    world.rounds(both)
    hit = [uid for n, uid in enumerate(world.tests) if n % len(SENDERS) < 3][-21:]
    own = world.tests[:: len(SENDERS)][-7:]
    world.tell(*provider_incident(hit), *sender_incident(own))
    with Session(world.engine) as session:
        advisory(session)
    world.check_links(
        hit[-1], LinkState.BLOCKED, f"https://safe.lab.example/?url={LINK}", "microsoft365"
    )
    world.check_links(hit[-1], LinkState.OK, f"https://{LINK}/spring", "gmail")
    world.prove(hit[-1], GOOD_FACTS)


HOSTILE = "<script>alert(1)</script><img src=https://evil.example/x.png onerror=alert(2)>"
RIGHT_TO_LEFT = "\u202egnp.exe\u202c \u05e9\u05dc\u05d5\u05dd"


def hostile(world: World) -> None:
    """Every text that comes from outside tries to be more than text."""
    world.begin(providers=("gmail", "microsoft365"), each=2)
    long = "A" * 900
    uid = world.send(
        "northwind",
        NOW - 3 * HOUR,
        microsoft,
        reply=f"{HOSTILE}\r\n\x00{RIGHT_TO_LEFT}",
        name=f"{HOSTILE}{RIGHT_TO_LEFT}"[:200],
        subject=f"{HOSTILE}{RIGHT_TO_LEFT}{long}"[:998],
        from_name=f'"{HOSTILE}'[:200],
    )
    facts = {
        "authentication": {"spf": HOSTILE, "dkim": 7, "dmarc": ["pass"]},
        "filters": [{"name": HOSTILE, "judged": HOSTILE, "facts": {HOSTILE: "\ud800"}}, 4, None],
        "transit_s": 1e300,
    }
    world.prove(uid, facts)
    world.check_links(uid, LinkState.BLOCKED, f"javascript:alert(1)//{HOSTILE}", "gmail")
    event = replace(
        provider_incident([uid])[0],
        incident=f"x/..//{HOSTILE}"[:100],
        sentence=f"{HOSTILE} {{provider}} {{{{7*7}}}} {long}",
        reason=f"{HOSTILE}\ud800",
        feature=f"url:{HOSTILE}",
    )
    world.tell(event, replace(event, state=State.CONFIRMED, at=event.at + HOUR))
    with Session(world.engine) as session:
        session.add(
            AdvisoryRow(
                advisory=HOSTILE[:64],
                provider="microsoft365",
                title=HOSTILE,
                text=HOSTILE * 20,
                published_at=NOW,
                updated_at=NOW,
                is_resolved=False,
                url="javascript:alert(3)",
                seen_at=NOW,
            )
        )
        for seed in session.exec(select(SeedRow)):
            seed.address = f"{HOSTILE}@example.org"[:280] + str(seed.id)
            session.add(seed)
        for sender in session.exec(select(SenderRow)):
            sender.name = HOSTILE + RIGHT_TO_LEFT
            session.add(sender)
        session.commit()
