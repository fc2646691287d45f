"""Asks a server which folders there are, and whose."""

from collections.abc import Iterable, Sequence

from monitor.mailboxes import imap_wire as wire
from monitor.mailboxes.folders import Listing
from monitor.mailboxes.imap_client import ImapClient, Reply
from monitor.mailboxes.imap_wire import Listed

_LIST = b'LIST "" "*"'
_LIST_SPECIAL_USE = b'LIST "" "*" RETURN (SPECIAL-USE)'


def is_gmail(client: ImapClient) -> bool:
    return "X-GM-EXT-1" in client.capabilities


def commands(client: ImapClient) -> list[bytes]:
    """Return what asks for the folders; on a new connection, what goes before it too."""
    lines = _introduction(client) if client.is_new else []
    client.is_new = False
    return [*lines, *_list_commands(client)]


def reply_to_list(replies: Sequence[Reply]) -> Reply:
    """Return the reply to the plain LIST among those to `commands`."""
    return next(reply for reply in replies if reply.kind == "LIST")


def _introduction(client: ImapClient) -> list[bytes]:
    lines = []
    if not client.capabilities:
        lines.append(b"CAPABILITY")
    if "UTF8=ONLY" in client.capabilities:  # RFC 6855: it answers nobody who has not said this
        lines.append(b"ENABLE UTF8=ACCEPT")
    if "NAMESPACE" in client.capabilities:
        lines.append(b"NAMESPACE")
    return lines


def _list_commands(client: ImapClient) -> list[bytes]:
    """Ask for SPECIAL-USE where that is announced, or where nothing is: some tell it only then.

    Gmail tells it always, and has refused to be asked.
    """
    may_ask = {"SPECIAL-USE", "LIST-EXTENDED"} <= client.capabilities and not is_gmail(client)
    return [_LIST, _LIST_SPECIAL_USE] if may_ask or not client.capabilities else [_LIST]


def listing(replies: Sequence[Reply], before: Listing) -> Listing:
    """Understand the replies to these commands; what none of them tells stays as *before*."""
    spaces = [wire.namespaces(response) for reply in replies for response in reply.data]
    own = [prefix for mine, _ in spaces for prefix in mine]
    foreign = [prefix for _, others in spaces for prefix in others]
    return Listing(_merged(replies), own or before.own, foreign or before.foreign)


def _merged(replies: Iterable[Reply]) -> list[Listed]:
    """Draw the answers to several LIST commands together: each may tell other attributes."""
    merged: dict[bytes, Listed] = {}
    for reply in replies:
        for folder in filter(None, map(wire.listed, reply.data)):
            before = merged.get(folder.raw, folder)
            attributes = before.attributes | folder.attributes
            merged[folder.raw] = Listed(folder.raw, attributes, folder.delimiter)
    return list(merged.values())
