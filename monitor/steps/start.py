"""Start: the turn of a schedule has come; make the test that it asks for."""

import random
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlmodel import Session

from monitor.store import new_tests, seeds
from monitor.store.columns import saved
from monitor.store.tables import CampaignRow, TestRow


def start(
    session: Session, *, args: Mapping[str, Any], key: str, now: datetime, rng: random.Random
) -> TestRow:
    """Make a test of a campaign with the newest version of a seed list; the caller commits.

    Args:
        args: campaign (id) and seed_list (name).
        key: names this turn of the schedule, so that it makes one test however often it runs.

    Raises:
        NotFoundError: the organisation has no such seed list any more.
        BadInputError: the list is empty.
    """
    campaign = session.get_one(CampaignRow, int(args["campaign"]))
    seed_list = seeds.newest_list(session, campaign.organisation_id, str(args["seed_list"]))
    return new_tests.create(
        session,
        campaign,
        seed_list_id=saved(seed_list.id),
        idempotency_key=key,
        send_at=now,
        now=now,
        rng=rng,
        meta={"schedule": key},
    )
