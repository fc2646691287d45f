"""Check: follow one link of a received copy, as the provider rewrote it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from sqlalchemy import func
from sqlmodel import Session, col, select

from monitor.core.clock import Clock
from monitor.core.ports import LinkChecker, LinkVerdict, Mailbox
from monitor.store import jobs, sightings
from monitor.store.tables import CopyRow, LinkCheckRow, SeedRow

# After the first sight of a copy. A link that was fine on delivery may be blocked later:
# the provider judges it anew on every click.
AGAIN = tuple(timedelta(hours=h) for h in (2, 8, 24))
BODY_LIMIT = 256 * 1024  # bytes of a copy that are read for its links
MAX_URL = 2000
LINKS = 3  # of one copy that are followed


@dataclass(frozen=True, slots=True)
class LinkEdges:
    """What a check needs from outside."""

    open_mailbox: Callable[[SeedRow], Mailbox]
    read_links: Callable[[bytes], list[str]]  # bytes of a message -> its links
    checker: LinkChecker


def check(
    session: Session,
    *,
    args: Mapping[str, int | str],
    edges: LinkEdges,
    link_hosts: tuple[str, ...],
    clock: Clock,
) -> None:
    """Follow the rewritten links of one copy, and put the next check of them.

    Only links that point to the provider's own rewriting host are followed: what the
    sender's own links do is none of the provider's doing, and a click on them might count.

    Args:
        args: test, provider, copy, and look: the number of this check.
    """
    test_id, provider, look = int(args["test"]), str(args["provider"]), int(args["look"])
    if _checks_so_far(session, test_id, provider) > look:
        return  # this one has been made: two copies were first found at the same time
    links = _known_links(session, test_id, provider)
    copy = session.get_one(CopyRow, int(args["copy"]))
    seed = session.get_one(SeedRow, copy.seed_id)
    message_id = sightings.name_in_mailbox(session, copy)
    session.commit()  # no transaction stays open while we are on the network
    if not links:
        raw = edges.open_mailbox(seed).read(message_id, limit=BODY_LIMIT)
        read = dict.fromkeys(edges.read_links(raw or b""))  # text and HTML repeat each other
        links = [url for url in read if _is_rewritten(url, link_hosts)][:LINKS]
    verdicts = [edges.checker.check(url, link_hosts=link_hosts) for url in links]
    for verdict in verdicts:
        session.add(_row(verdict, test_id, provider, clock))
    if verdicts and look < len(AGAIN):
        jobs.put(
            session,
            "check",
            {**args, "look": look + 1},
            unique_key=f"check:{test_id}:{provider}:{look + 1}",
            due_at=clock.now() + AGAIN[look],
        )


def _known_links(session: Session, test_id: int, provider: str) -> list[str]:
    """The links of an earlier check: the copy itself may have been removed since."""
    return list(
        session.exec(
            select(LinkCheckRow.url)
            .where(col(LinkCheckRow.test_id) == test_id, col(LinkCheckRow.provider) == provider)
            .distinct()
        ).all()
    )


def _checks_so_far(session: Session, test_id: int, provider: str) -> int:
    return session.exec(
        select(func.count(func.distinct(LinkCheckRow.checked_at))).where(
            col(LinkCheckRow.test_id) == test_id, col(LinkCheckRow.provider) == provider
        )
    ).one()


def _is_rewritten(url: str, link_hosts: tuple[str, ...]) -> bool:
    """Does *url* lead to the provider's own host? One too long to be kept whole is left alone."""
    if len(url) > MAX_URL:
        return False
    try:
        host = (urlsplit(url).hostname or "").lower()
    except ValueError:  # not a URL that anybody could click
        return False
    return any(host == known or host.endswith("." + known) for known in link_hosts)


def _row(verdict: LinkVerdict, test_id: int, provider: str, clock: Clock) -> LinkCheckRow:
    return LinkCheckRow(
        test_id=test_id,
        provider=provider,
        url=verdict.url,
        state=verdict.state,
        rewritten=verdict.rewritten,
        detail=verdict.detail[:500],
        checked_at=clock.now(),
    )
