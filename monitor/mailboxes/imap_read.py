"""Reads the beginning of one message."""

from collections.abc import Iterable, Mapping, Sequence

from monitor.mailboxes import imap_ask as ask
from monitor.mailboxes import imap_wire as wire
from monitor.mailboxes.folders import Place
from monitor.mailboxes.imap_client import ImapClient
from monitor.mailboxes.imap_manner import Known
from monitor.mailboxes.imap_memory import Recogniser


def read_known(
    client: ImapClient,
    places: Iterable[Place],
    known: Mapping[bytes, Known],
    recogniser: Recogniser,
    limit: int,
) -> bytes | None:
    """Read the copy that *recogniser* knows from where an earlier look saw it, if it is there."""
    for place in places:
        if place.raw not in known:
            continue
        memory = known[place.raw].memory
        for uid, _ in recogniser.ours(memory):
            data = _fetch(client, place, uid, limit, validity=memory.validity)
            if data is not None:
                return data
    return None


def search_and_read(
    client: ImapClient, places: Sequence[Place], message_id: str, limit: int
) -> bytes | None:
    """Read a copy that is not where we know it, or that an earlier process found."""
    key = ask.named(message_id)
    lines = [line for place in places for line in (ask.examine(place), key)]
    replies = client.batch(lines)
    for place, opened, searched in zip(places, replies[::2], replies[1::2], strict=True):
        uids = [uid for response in searched.data for uid in wire.found_uids(response)]
        if opened.is_ok and searched.is_ok and uids:
            return _fetch(client, place, uids[0], limit)
    return None


def _fetch(
    client: ImapClient, place: Place, uid: int, limit: int, *, validity: str | None = None
) -> bytes | None:
    lines = [ask.examine(place), ask.beginnings([uid], max_bytes=limit)]
    opened, replied = client.batch(lines, max_literal=limit)
    if not opened.is_ok or (validity is not None and opened.code("UIDVALIDITY") != validity):
        return None
    for message in filter(None, map(wire.fetched, replied.data)):
        if message.uid == uid and message.section:
            return message.data
    return None
