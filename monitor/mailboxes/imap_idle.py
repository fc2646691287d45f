"""Waits for new mail without asking again and again (IDLE, RFC 2177)."""

from time import monotonic

from monitor.mailboxes.imap_client import ImapClient
from monitor.mailboxes.imap_sign_in import busy
from monitor.mailboxes.imap_wire import Response

LONGEST_S = 28 * 60  # servers may end a connection that says nothing for 30 minutes


def idle(client: ImapClient, seconds: float) -> bool:
    """Return True as soon as something new lies in the inbox, False after *seconds*.

    False at once where the server does not offer IDLE.

    Raises:
        MailboxBusyError: a refusal, or the connection was lost.
    """
    if "IDLE" not in client.capabilities:
        return False
    ends = monotonic() + seconds
    count = _open_inbox(client)

    def is_new(response: Response) -> bool:
        nonlocal count
        if response.word == "EXPUNGE":
            count -= 1
        if response.word != "EXISTS":
            return False
        before, count = count, response.number
        return count > before

    while (left := ends - monotonic()) > 0:
        if client.idle(min(left, LONGEST_S), is_new):
            return True
    return False


def _open_inbox(client: ImapClient) -> int:
    """Return how many messages lie in the inbox."""
    reply = client.batch([b"EXAMINE INBOX"])[0]
    if not reply.is_ok:
        raise busy(client, "its inbox does not open", reply.end)
    return next((r.number for r in reply.data if r.word == "EXISTS"), 0)
