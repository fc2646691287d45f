"""How fast a message is understood, and that hostile ones take no longer than they are long.

    python benchmarks/explain.py
    python benchmarks/explain.py --quick     # one round: only that it runs

*facts* is what every look into a mailbox does; *explain* is `seedwatch explain` without
printing; *email* is the standard library parsing the same bytes and reading each header as
text, for comparison. Then messages of a megabyte, against a goal of 50 ms, and the same
kinds of message from 1/16 of a megabyte to a whole one: the time may double at each step.
"""

import argparse
import time
from collections.abc import Callable, Mapping
from email import message_from_bytes
from pathlib import Path

from monitor.evidence.explained import explained
from monitor.evidence.facts import facts
from monitor.evidence.smtp_replies import read_table
from monitor.rendering import data_dir

MESSAGES = Path(__file__).parent.parent / "tests" / "evidence" / "messages"
MEGABYTE = 1024 * 1024
GOAL_MS = 50
KNOWN = read_table((data_dir("seedlists") / "replies.toml").read_text("utf-8"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--quick", action="store_true", help="one round")
    args = parser.parse_args()
    rounds = 1 if args.quick else args.rounds
    messages = [path.read_bytes() for path in sorted(MESSAGES.glob("*.eml"))]
    print(f"{len(messages)} messages, {rounds} rounds")
    for name, read in READERS.items():
        print(f"{name:10}{rate(read, messages, rounds):9.0f} messages/s")
    tries = 1 if args.quick else 5
    print(f"\na megabyte of           best of {tries}, ms (goal {GOAL_MS})")
    for name, make in HUGE.items():
        print(f"{name:22}{best(make(MEGABYTE), tries) * 1000:8.1f}")
    sizes = [MEGABYTE // 16, MEGABYTE] if args.quick else [MEGABYTE >> n for n in (4, 3, 2, 1, 0)]
    print("\nms for kilobytes of   " + "".join(f"{size // 1024:8}" for size in sizes))
    for name, make in HUGE.items():
        times = [best(make(size), tries) * 1000 for size in sizes]
        print(f"{name:22}" + "".join(f"{one:8.1f}" for one in times))


def rate(read: Callable[[bytes], object], messages: list[bytes], rounds: int) -> float:
    started = time.perf_counter()
    for _ in range(rounds):
        for raw in messages:
            read(raw)
    return rounds * len(messages) / (time.perf_counter() - started)


def best(raw: bytes, tries: int) -> float:
    """Seconds of processor time to explain *raw*: other programs do not count."""
    found = []
    for _ in range(tries):
        started = time.thread_time()
        explained(raw, KNOWN)
        found.append(time.thread_time() - started)
    return min(found)


def with_library(raw: bytes) -> object:
    return [str(value) for _, value in message_from_bytes(raw).items()]


def repeated(bit: bytes, *, before: bytes = b"", after: bytes = b"") -> Callable[[int], bytes]:
    return lambda size: before + bit * (size // len(bit)) + after


REPORT = (
    b"Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n"
    b"Content-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n"
)
ATTACHMENT = (
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
    b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
)
READERS: Mapping[str, Callable[[bytes], object]] = {
    "facts": lambda raw: facts(raw, ""),
    "explain": lambda raw: explained(raw, KNOWN),
    "email": with_library,
}
HUGE: Mapping[str, Callable[[int], bytes]] = {
    "one header field": repeated(b"x", before=b"Subject: ", after=b"\r\n\r\n"),
    "10,000 header fields": repeated(b"X-Field: " + b"v" * 94 + b"\r\n"),
    "Received fields": repeated(b"Received: from a (b [192.0.2.1]) by c; (x) (y\r\n"),
    "comments in results": repeated(b"Authentication-Results: " + b"(a) " * 2000 + b"\r\n"),
    "brackets in results": repeated(b"Authentication-Results: " + b"(" * 8000 + b"\r\n"),
    "rules of a filter": repeated(b"; A(1)[x]", before=b"X-Spamd-Result: default: False [1/2]"),
    "attachment": repeated(b"QUJD" * 19 + b"\r\n", before=ATTACHMENT, after=b"--b--\r\n"),
    "parts in parts": repeated(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"),
    "a report": repeated(
        b"Final-Recipient: rfc822; a@b.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n",
        before=REPORT,
        after=b"--b--\r\n",
    ),
    "a bounce in words": repeated(
        b"<a@b.example>:\r\n550 5.1.1 no\r\n\r\n", before=b"Return-Path: <>\r\n\r\n"
    ),
}

main()
