"""Reads a seed mailbox over IMAP and leaves no trace in it: EXAMINE and BODY.PEEK only."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import islice

from monitor.core.campaigns import Found, Wanted
from monitor.core.folders import FolderSight
from monitor.core.ports import TokenSource
from monitor.core.seeds import Account, ProviderFacts
from monitor.mailboxes import imap_list
from monitor.mailboxes.budget import Budget
from monitor.mailboxes.folders import INBOX, Listing, Place, places, sights
from monitor.mailboxes.imap_client import ImapClient, Reply
from monitor.mailboxes.imap_finds import first_found
from monitor.mailboxes.imap_idle import idle
from monitor.mailboxes.imap_kept import KeptConnection
from monitor.mailboxes.imap_manner import Known, Manner
from monitor.mailboxes.imap_memory import Recogniser
from monitor.mailboxes.imap_read import read_known, search_and_read
from monitor.mailboxes.imap_sign_in import busy
from monitor.mailboxes.imap_stream import FloodError
from monitor.mailboxes.imap_visit import Visit

MAX_HEADER_BYTES = 64 * 1024  # of one copy; the rest is not fetched
MAX_ROUNDS = 6  # of one look; a folder that changes faster than that is not readable


class ImapMailbox:
    """A `Mailbox` (see core/ports.py) over IMAP; its connection is kept between looks.

    Safe between threads: one of them reads at a time. Once closed, it holds neither a
    connection nor anything it remembered; the next look opens it again, as at first.

    Args:
        timeout_s: how long connecting, and each exchange after it, may take.
        ca_file: CA certificates to trust instead of the system's.
        tokens: access tokens to sign in by, in place of the account's password.
        budget: shared with the other mailboxes of this process; None for no limits.
    """

    def __init__(
        self,
        account: Account,
        facts: ProviderFacts,
        *,
        timeout_s: float,
        ca_file: str | None = None,
        tokens: TokenSource | None = None,
        budget: Budget | None = None,
    ) -> None:
        self._facts = facts
        self._kept = KeptConnection(
            account, facts, timeout_s=timeout_s, ca_file=ca_file, tokens=tokens, budget=budget
        )
        self._listing = Listing(())
        self._places: list[Place] = []
        self._known: dict[bytes, Known] = {}

    @property
    def round_trips(self) -> int:
        """How often the present connection waited for the server."""
        return self._kept.client.round_trips if self._kept.client else 0

    @property
    def capabilities(self) -> frozenset[str]:
        """What the server of the present connection says that it can, in upper case."""
        return self._kept.client.capabilities if self._kept.client else frozenset()

    def look(self, wanted: Sequence[Wanted]) -> list[Found]:
        """Look for nothing to prove that the mailbox can be read."""
        work = self._look if wanted else _prove
        return self._kept.lend(lambda client: work(client, wanted))

    def read(self, message_id: str, *, limit: int) -> bytes | None:
        recogniser = Recogniser([Wanted(message_id, "", datetime.max.replace(tzinfo=UTC))])

        def work(client: ImapClient) -> bytes | None:
            places = self._listed(client)
            data = read_known(client, places, self._known, recogniser, limit)
            return data or search_and_read(client, places, message_id, limit)

        return self._kept.lend(work)

    def layout(self) -> list[FolderSight]:
        """Say of every folder what it is for, and why we think so.

        Raises: as `look`.
        """

        def work(client: ImapClient) -> list[FolderSight]:
            self._list(client)
            return sights(self._listing, self._facts)

        return self._kept.lend(work)

    def wait(self, seconds: float) -> bool:
        """Return True as soon as something new lies in the inbox, False after *seconds*.

        The connection is busy meanwhile: other calls wait. Where the server does not offer
        IDLE (RFC 2177), False is returned at once.

        Raises: as `look`.
        """
        return self._kept.lend(lambda client: idle(client, seconds))

    def close(self) -> None:
        self._kept.close(self._forget)

    def _forget(self) -> None:
        self._places = []
        self._known.clear()

    def _look(self, client: ImapClient, wanted: Sequence[Wanted]) -> list[Found]:
        recogniser = Recogniser(wanted)
        remembered = self._remembered(recogniser)
        is_recheck = remembered == {w.message_id for w in wanted}
        visits = self._visit(client, wanted, recogniser, is_recheck=is_recheck)
        found = self._first_found(client, visits)
        lost = (remembered | {w.message_id for w in wanted if w.was_found}) - found.keys()
        if lost and not all(v.is_fresh and not v.lost_any for v in visits):
            # A copy that was there is nowhere now. Before we say so, look without relying
            # on memory: it may have moved to a folder that had been asked already.
            self._known.clear()
            visits = self._visit(client, wanted, recogniser)
            found = self._first_found(client, visits)
        for visit in visits:
            visit.settle()
        return list(found.values())

    def _first_found(self, client: ImapClient, visits: Sequence[Visit]) -> dict[str, Found]:
        return first_found((v.finds for v in visits), are_labels=imap_list.is_gmail(client))

    def _remembered(self, recogniser: Recogniser) -> set[str]:
        """Return the Message-IDs of those that an earlier look found."""
        return {
            found.wanted.message_id
            for known in self._known.values()
            for _, found in recogniser.ours(known.memory)
        }

    def _visit(
        self,
        client: ImapClient,
        wanted: Sequence[Wanted],
        recogniser: Recogniser,
        *,
        is_recheck: bool = False,
    ) -> list[Visit]:
        """Look into all folders at once, round by round, and remember what was learnt.

        The folders are listed in the first round; those that are new join in the second.
        """
        manner = Manner(MAX_HEADER_BYTES, recogniser, partial(busy, client), is_recheck=is_recheck)
        manner.learn(client.capabilities, self._facts.tabs)
        visits = [self._new_visit(place, wanted, manner) for place in self._places or [INBOX]]
        news = [] if is_recheck and not client.is_new else imap_list.commands(client)
        for _ in range(MAX_ROUNDS):
            is_known = not news and all(visit.is_surveyed for visit in visits)
            is_short = is_known and sum(visit.sighted for visit in visits) < len(wanted)
            replies = self._round(client, visits, news, is_short=is_short)
            if replies is None:
                self._known = {v.place.raw: k for v in visits if (k := v.known) is not None}
                self._places = [visit.place for visit in visits if not visit.is_gone]
                return visits
            if news:
                self._understand(client, replies)
                manner.learn(client.capabilities, self._facts.tabs)
                there = {visit.place.raw for visit in visits}
                new = [place for place in self._places if place.raw not in there]
                visits += [self._new_visit(place, wanted, manner) for place in new]
                news = []
        raise client.stream.busy("its folders change faster than they can be read")

    def _round(
        self, client: ImapClient, visits: Sequence[Visit], news: Sequence[bytes], *, is_short: bool
    ) -> list[Reply] | None:
        """Ask all folders in one write; return the replies to *news*, or None if all is known."""
        plans = [(visit, visit.commands(is_short=is_short)) for visit in visits]
        plans.sort(key=lambda plan: plan[0].is_counting)  # a folder that is open is not counted
        lines = [*news, *(line for _, commands in plans for line in commands)]
        if not lines:
            return None
        replies = iter(self._asked(client, lines))
        of_news = list(islice(replies, len(news)))
        for visit, commands in plans:
            visit.absorb(list(islice(replies, len(commands))))
        return of_news

    def _asked(self, client: ImapClient, lines: Sequence[bytes]) -> list[Reply]:
        try:
            return client.batch(lines, max_literal=4 * MAX_HEADER_BYTES)
        except FloodError:
            self._known.clear()  # what has come since is too much: search by date again
            raise

    def _listed(self, client: ImapClient) -> list[Place]:
        if not self._places:
            self._list(client)
        return self._places

    def _list(self, client: ImapClient) -> None:
        self._understand(client, client.batch(imap_list.commands(client)))

    def _understand(self, client: ImapClient, replies: Sequence[Reply]) -> None:
        """Learn which folders there are; where a later answer is refused, as we knew them.

        Raises:
            MailboxBusyError: none are known.
        """
        reply = imap_list.reply_to_list(replies)
        if reply.is_ok:
            self._listing = imap_list.listing(replies, self._listing)
            there = {place.raw for place in self._places}
            now = places(self._listing, self._facts)
            self._places += [place for place in now if place.raw not in there]
        elif not self._places:
            raise busy(client, "its folders are not listed", reply.end)

    def _new_visit(self, place: Place, wanted: Sequence[Wanted], manner: Manner) -> Visit:
        return Visit(place, self._known.get(place.raw), wanted, manner)


def _prove(client: ImapClient, _: Sequence[Wanted]) -> list[Found]:
    reply = client.batch([b"EXAMINE INBOX"])[0]
    if not reply.is_ok:
        raise busy(client, "its inbox does not open", reply.end)
    return []
