"""What a step works on in these tests, and short ways to ask about it."""

import random
from dataclasses import dataclass, field
from datetime import timedelta

from sqlmodel import Session, select

from monitor.core.clock import ManualClock
from monitor.core.departures import AT_ONCE, Departure
from monitor.store import new_tests
from monitor.store.secrets import Vault
from monitor.store.tables import CampaignRow, CopyRow, TestRow

PROVIDER = "gmail"


@dataclass
class World:
    """What a step works on, and short ways to ask about it."""

    session: Session
    clock: ManualClock
    campaign: CampaignRow
    seed_list_id: int
    vault: Vault
    rng: random.Random = field(default_factory=lambda: random.Random(5))

    def new_test(self, key: str = "first", departure: Departure = AT_ONCE) -> TestRow:
        """Make a test of three copies, due now."""
        made = new_tests.create(
            self.session,
            self.campaign,
            seed_list_id=self.seed_list_id,
            idempotency_key=key,
            send_at=self.clock.now(),
            now=self.clock.now(),
            rng=self.rng,
            departure=departure,
        )
        self.session.commit()
        return made

    def copies(self, test: TestRow) -> list[CopyRow]:
        return list(
            self.session.exec(
                select(CopyRow).where(CopyRow.test_id == test.id).order_by(CopyRow.id)  # type: ignore[arg-type]
            ).all()
        )

    def later(self, **span: float) -> None:
        self.clock.sleep(timedelta(**span))
