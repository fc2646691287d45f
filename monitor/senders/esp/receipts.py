"""How a sending service says that it took a letter."""

import re
from dataclasses import dataclass

from monitor.senders.esp.http_api import Answer, text_at

_ID = re.compile(r"[!-;=?-~]{1,200}")  # a Message-ID without its brackets


@dataclass(frozen=True, slots=True)
class Receipt:
    """That a service took a letter."""

    id: str  # by which the service knows it
    message_id: str = ""  # what it puts in place of ours, with angle brackets


class RefusedLetterError(Exception):
    """An answer of success that is none; the text is the service's own."""


def usable_id(value: str) -> str:
    """Return an id as services give them, without angle brackets; "" if it could be no id."""
    bare = value.removeprefix("<").removesuffix(">")
    return bare if _ID.fullmatch(bare) else ""


def receipt_at(answer: Answer, *keys: str | int, domain: str = "") -> Receipt | None:
    """Read the id at a path of an answer; with *domain*, the Message-ID that is made of it."""
    found = usable_id(text_at(answer.said, *keys))
    if not found:
        return None
    return Receipt(found, f"<{found}@{domain}>" if domain else "")


def message_id_at(answer: Answer, *keys: str | int) -> Receipt | None:
    """Read a whole Message-ID at a path of an answer, with or without its brackets."""
    found = usable_id(text_at(answer.said, *keys))
    return Receipt(found, f"<{found}>") if "@" in found else None
