"""Start: the turn of a schedule has come; make the test that it asks for."""

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from monitor.core.departures import Departure
from monitor.store import new_tests, seeds
from monitor.store.columns import saved
from monitor.store.tables import CampaignRow, TestRow


def start(
    session: Session,
    *,
    args: Mapping[str, Any],
    key: str,
    copies_per_minute: float = 0,
    now: datetime,
    rng: random.Random,
) -> TestRow:
    """Make a test of a campaign with the newest version of a seed list; the caller commits.

    Args:
        args: campaign (id) and seed_list (name); if it is so, through (name of a transport)
            and over_s (seconds over which the copies are spread).
        key: names this turn of the schedule, so that it makes one test however often it runs.
        copies_per_minute: to one provider; 0 is no limit.

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
        departure=Departure(
            transport=str(args.get("through", "")),
            over=timedelta(seconds=float(args.get("over_s", 0))),
            copies_per_minute=copies_per_minute,
        ),
        meta={"schedule": key},
    )
