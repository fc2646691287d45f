"""Other people's mail, made once and shared by all mailboxes, so that filling them is cheap."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache

from monitor.lab.mailboxes import Message

BODY = b"Hello,\r\n\r\nnothing to see here.\r\n" + b"Lorem ipsum dolor sit amet.\r\n" * 60
GAP = timedelta(minutes=1)
DATED = datetime.fromisoformat("2026-01-05T08:00:00+00:00")


@lru_cache(maxsize=65536)
def _message(number: int) -> Message:
    head = (
        f"Received: from mail.elsewhere.example by mx.lab.example; {format_datetime(DATED)}\r\n"
        f"From: Person {number} <person{number % 97}@elsewhere.example>\r\n"
        "To: undisclosed-recipients:;\r\n"
        f"Subject: Letter {number}\r\n"
        f"Date: {format_datetime(DATED)}\r\n"
        f"Message-ID: <letter-{number}@elsewhere.example>\r\n"
    )
    return Message(head.encode("ascii"), b"\r\n" + BODY, number=10_000_000 + number)


def crowd(count: int, last: datetime) -> Iterator[tuple[Message, datetime]]:
    """Yield *count* messages with their dates, the last one at *last*."""
    for number in range(count):
        yield _message(number), last - GAP * (count - 1 - number)
