"""New tests: a campaign becomes a placement test, with its copies and the work due for it."""

import random
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from monitor.core.errors import BadInputError
from monitor.core.observations import JUDGED
from monitor.core.placements import LADDER
from monitor.evidence import stamp
from monitor.evidence.features import features
from monitor.store import jobs, placement_tests, seeds
from monitor.store.columns import saved
from monitor.store.tables import CampaignRow, SenderRow, TestRow

# After the last rung of the ladder: time for copies that were deferred for a day, and for
# looks that were late.
ENDS_AFTER = timedelta(hours=30)


def create(  # noqa: PLR0913 - a test is made of just these
    session: Session,
    campaign: CampaignRow,
    *,
    seed_list_id: int,
    idempotency_key: str,
    send_at: datetime,
    now: datetime,
    rng: random.Random,
    meta: dict[str, Any] | None = None,
) -> TestRow:
    """Write a test with everything that is due for it; the caller commits.

    Using *idempotency_key* again returns the test that it made the first time.

    Raises:
        BadInputError: the seed list is empty.
    """
    earlier = placement_tests.by_key(session, campaign.organisation_id, idempotency_key)
    if earlier is not None:
        return earlier
    sender = session.get_one(SenderRow, campaign.sender_id)
    members = seeds.of_list(session, seed_list_id)
    if not members:
        raise BadInputError(
            "seed list", str(seed_list_id), "has no seeds", remedy="Import some first."
        )
    token = stamp.new_token(rng)
    test = placement_tests.create(
        session,
        TestRow(
            organisation_id=campaign.organisation_id,
            campaign_id=saved(campaign.id),
            seed_list_id=seed_list_id,
            uid=f"{rng.getrandbits(64):016x}",
            token=token,
            idempotency_key=idempotency_key,
            created_at=now,
            send_at=send_at,
            features=placement_tests.feature_list(_features(campaign, sender)),
            meta=meta or {},
        ),
        members,
        name_copy=lambda number: stamp.message_id(token, number, sender.from_domain),
    )
    _put_ends(session, test)
    return test


def _put_ends(session: Session, test: TestRow) -> None:
    """Put what a test needs besides sending: its first judgement, and its end."""
    for kind, args, due_at in (
        ("observe", {"test": test.id, "look": 0}, test.send_at + JUDGED[0]),
        ("end", {"test": test.id}, test.send_at + LADDER[-1] + ENDS_AFTER),
    ):
        key = ":".join([kind, *map(str, args.values())])
        jobs.put(session, kind, args, unique_key=key, due_at=due_at)


def _features(campaign: CampaignRow, sender: SenderRow) -> frozenset[str]:
    return features(
        placement_tests.message(campaign),
        mail_from=sender.mail_from,
        dkim_domain=sender.dkim_domain,
        tracking_domain=sender.tracking_domain,
        ip_prefix=sender.ip_prefix,
        esp=sender.esp,
        attach_types=tuple(t for t in campaign.attach_types.split(",") if t),
    )
