"""Follows a link of a received copy as far as the provider that rewrote it, and no further.

A link that the provider left alone is never requested: it may unsubscribe, or count a
click. A rewritten one is followed until the provider sends the reader on, which is all
that can be its doing.
"""

import re
from collections.abc import Sequence
from urllib.parse import SplitResult, urljoin

from monitor.core.addresses import split_url
from monitor.core.ports import LinkState, LinkVerdict
from monitor.guarded import Answer, GetError, TimeLimit, get

MAX_REDIRECTS = 3
_PORTS = {None, 80, 443}

# What block and warning pages say, lower case. Microsoft's: the pages that
# learn.microsoft.com describes under "Warning pages from Safe Links"; the wording of
# other providers is from memory.
BLOCKED_WORDS = (
    "classified as malicious",
    "identified as malicious",
    "website is blocked",
    "site has been blocked",
    "link has been blocked",
    "identified as a phishing",
    "phishing attempt",
)
WARNED_WORDS = (
    "might not be safe",
    "similar to other suspicious",
    "being scanned",
    "proceed with caution",
    "potentially unsafe",
)
_TAG = re.compile(r"<[^<>]{0,2000}>")
_REFRESH = re.compile(
    r"""<meta\b[^<>]{0,200}http-equiv=["']?refresh[^<>]{0,200}url=["']?([^"'<>\s]{1,4000})""",
    re.IGNORECASE,
)


class HttpLinkChecker:
    """A `LinkChecker` (see core/ports.py). Safe between threads.

    Args:
        allow_loopback: for the lab, whose servers are on this machine.
        timeout_s: for one link, redirects included.
        max_bytes: of a page that are read.
    """

    def __init__(
        self, *, allow_loopback: bool = False, timeout_s: float = 20.0, max_bytes: int = 256 * 1024
    ) -> None:
        self._allow_loopback = allow_loopback
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes

    def check(self, url: str, *, link_hosts: Sequence[str]) -> LinkVerdict:
        parts = split_url(url)
        if parts is None:
            return LinkVerdict(url, LinkState.UNREACHABLE, rewritten=False, detail="not a web link")
        if not is_below(parts, link_hosts):
            detail = "left as its sender wrote it, not followed"
            return LinkVerdict(url, LinkState.OK, rewritten=False, detail=detail)
        try:
            with TimeLimit(self._timeout_s) as limit:
                state, detail = self._follow(url, link_hosts, limit)
        except GetError as error:
            state, detail = LinkState.UNREACHABLE, str(error)
        return LinkVerdict(url, state, rewritten=True, detail=detail)

    def _follow(
        self, url: str, link_hosts: Sequence[str], limit: TimeLimit
    ) -> tuple[LinkState, str]:
        for _ in range(MAX_REDIRECTS + 1):
            parts = split_url(url)
            if parts is None:
                return LinkState.UNREACHABLE, "sent on to what is not a web link"
            if not is_below(parts, link_hosts):
                return LinkState.OK, f"sent on to {parts.hostname}"
            if parts.port not in _PORTS and not self._allow_loopback:
                return LinkState.UNREACHABLE, "not a port of the web"
            answer = get(
                url,
                limit=limit,
                max_bytes=self._max_bytes,
                allow_loopback=self._allow_loopback,
            )
            onward = target(answer)
            if not onward:
                return judge(answer)
            try:
                url = urljoin(url, onward)
            except ValueError:
                return LinkState.UNREACHABLE, "sent on to what is not a web link"
        return LinkState.UNREACHABLE, "sent on and on by the provider"


def is_below(parts: SplitResult, hosts: Sequence[str]) -> bool:
    """Is this address of one of *hosts* ("name" or "name:port"), or below it?"""
    name = (parts.hostname or "").rstrip(".")
    names = {name, f"{name}:{parts.port}"}
    return any(n == host or n.endswith(f".{host}") for n in names for host in hosts if host)


def target(answer: Answer) -> str:
    """Return where an answer sends the reader on to; "" if nowhere."""
    if 300 <= answer.status < 400:
        return answer.headers.get("Location", "").strip()
    found = _REFRESH.search(answer.body.decode("utf-8", "replace"))
    return found[1].replace("&amp;", "&") if found and answer.status == 200 else ""


def judge(answer: Answer) -> tuple[LinkState, str]:
    """Say what a page of the provider's own means for the reader."""
    text = _TAG.sub(" ", answer.body.decode("utf-8", "replace")).casefold()
    text = " ".join(text.split())
    for words in BLOCKED_WORDS:
        if words in text:
            return LinkState.BLOCKED, f"the provider's page says: {words}"
    if answer.status in {403, 451}:
        return LinkState.BLOCKED, f"the provider answers {answer.status}"
    if answer.status != 200:
        return LinkState.UNREACHABLE, f"the provider answers {answer.status}"
    for words in WARNED_WORDS:
        if words in text:
            return LinkState.WARNED, f"the provider's page says: {words}"
    return LinkState.WARNED, "a page of the provider's stands in between"
