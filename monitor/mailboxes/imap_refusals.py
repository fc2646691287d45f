"""What a server's refusal means: later, never, or that the thing is not there. Pure."""

from monitor.core.campaigns import Role
from monitor.mailboxes.imap_wire import Response

# A refusal that passes: the codes of RFC 5530, and the words of servers that give none.
_PASSING = {"UNAVAILABLE", "LIMIT", "INUSE", "SERVERBUG", "OVERQUOTA", "CORRUPTION", "THROTTLED"}
_PASSING_WORDS = ("try again", "temporar", "too many", "not connected", "unavailable", "throttl")
# Of these, the ones that say: you ask too much. Asking again soon makes it worse.
_THROTTLING = {"UNAVAILABLE", "LIMIT", "THROTTLED"}
_THROTTLING_WORDS = ("too many", "throttl", "rate limit", "server busy", "bandwidth")
_GONE_WORDS = ("exist", "not found", "no such", "unknown mailbox")


def is_passing(end: Response) -> bool:
    """Is this a NO that says: later?"""
    words = end.text.lower()
    return end.word == "NO" and (
        end.code in _PASSING or any(word in words for word in (*_PASSING_WORDS, *_THROTTLING_WORDS))
    )


def is_throttling(end: Response) -> bool:
    """Does the server say that it is asked too much, by NO, BAD or BYE?"""
    words = end.text.lower()
    return end.word != "OK" and (
        end.code in _THROTTLING or any(word in words for word in _THROTTLING_WORDS)
    )


def is_gone(end: Response, role: Role) -> bool:
    """May we go on without a folder that does not open? Not if it could well hold a copy."""
    if end.word != "NO" or is_passing(end) or role is Role.INBOX:
        return False
    words = end.text.lower()
    if end.code == "NONEXISTENT" or any(word in words for word in _GONE_WORDS):
        return True
    return role in {Role.OTHER, Role.TRASH, Role.TAB}
