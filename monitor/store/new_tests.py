"""New tests: a campaign becomes a placement test, with its copies and the work due for it."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from monitor.core.departures import AT_ONCE, YOURS, Departure, leaving_times
from monitor.core.errors import BadInputError
from monitor.evidence import stamp
from monitor.evidence.bodies import body_mark
from monitor.evidence.features import features
from monitor.store import expected, placement_tests, seeds
from monitor.store.columns import saved
from monitor.store.tables import CampaignRow, CopyRow, SeedRow, SenderRow, TestRow


@dataclass(frozen=True, slots=True)
class Expectation:
    """A campaign that the sender's own service will send."""

    key: str  # idempotency key
    until: timedelta  # from now; what has come to no seed by then counts as not sent
    campaign_mark: str = ""  # the value of the service's own campaign header


def create(  # noqa: PLR0913 - a test is made of just these
    session: Session,
    campaign: CampaignRow,
    *,
    seed_list_id: int,
    idempotency_key: str,
    send_at: datetime,
    now: datetime,
    rng: random.Random,
    departure: Departure = AT_ONCE,
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
    members = _members(session, seed_list_id)
    test = _row(session, campaign, seed_list_id, idempotency_key, now=now, rng=rng)
    leaves = leaving_times([seed.provider for seed in members], departure, rng)
    test.meta = meta or {}
    test.send_at, test.spread_s = send_at, max(leaves).total_seconds()
    test.transport = departure.transport
    copies = _write(session, campaign, test, members, leaves)
    placement_tests.put_sending(session, test, copies)
    placement_tests.put_verdicts(session, test)
    return test


def expect(
    session: Session,
    campaign: CampaignRow,
    expectation: Expectation,
    *,
    seed_list_id: int,
    now: datetime,
    rng: random.Random,
) -> TestRow:
    """Write a test whose copies the sender's own service sends; the caller commits.

    Nothing is sent. The seeds are looked into until the campaign comes, or the time is over.
    Idempotency and errors are as in `create`.
    """
    earlier = placement_tests.by_key(session, campaign.organisation_id, expectation.key)
    if earlier is not None:
        return earlier
    members = _members(session, seed_list_id)
    test = _row(session, campaign, seed_list_id, expectation.key, now=now, rng=rng)
    test.transport = YOURS
    test.expected_until = now + expectation.until
    test.campaign_mark = expectation.campaign_mark
    test.body_mark = body_mark(campaign.text, campaign.html)[:200]
    _write(session, campaign, test, members, ())
    expected.put_polls(session, members, now=now)
    placement_tests.put_end(session, test, due_at=test.expected_until + expected.GRACE)
    return test


def _members(session: Session, seed_list_id: int) -> list[SeedRow]:
    members = seeds.of_list(session, seed_list_id)
    if not members:
        raise BadInputError(
            "seed list", str(seed_list_id), "has no seeds", remedy="Import some first."
        )
    return members


def _row(
    session: Session,
    campaign: CampaignRow,
    seed_list_id: int,
    idempotency_key: str,
    *,
    now: datetime,
    rng: random.Random,
) -> TestRow:
    sender = session.get_one(SenderRow, campaign.sender_id)
    token = stamp.new_token(rng)
    return TestRow(
        organisation_id=campaign.organisation_id,
        campaign_id=saved(campaign.id),
        seed_list_id=seed_list_id,
        uid=f"{rng.getrandbits(64):016x}",
        token=token,
        idempotency_key=idempotency_key,
        created_at=now,
        send_at=now,
        features=placement_tests.feature_list(_features(campaign, sender)),
        meta={},
    )


def _write(
    session: Session,
    campaign: CampaignRow,
    test: TestRow,
    members: Sequence[SeedRow],
    leaves: Sequence[timedelta],
) -> list[CopyRow]:
    domain = session.get_one(SenderRow, campaign.sender_id).from_domain
    return placement_tests.create(
        session,
        test,
        members,
        name_copy=lambda number: stamp.message_id(test.token, number, domain),
        leaves=leaves,
    )


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
