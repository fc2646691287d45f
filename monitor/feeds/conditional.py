"""Asks for one public page, and only for what is new in it (RFC 9110 section 13)."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from monitor.bounded_http import Answer, Ask, Json, Service, refusal, retry_after
from monitor.core.errors import AgainLaterError, PersonNeededError
from monitor.core.ports import Advisory, Published, Validators

MAX_ETAG, MAX_DATE = 500, 100  # characters; longer ones are not kept, and the page is read anew
_JSONP = re.compile(r"^\s*[A-Za-z_$][\w$.]{0,60}\((.*)\)\s*;?\s*$", re.DOTALL)
_REMEDY = "Look at the page with a browser, and mend its address in [feeds]."
_GONE = {400, 401, 403, 404, 410}


@dataclass(frozen=True, slots=True)
class ConditionalPage:
    """A page that is asked for again and again. `name` is what people call it."""

    name: str
    url: str
    timeout_s: float = 30.0
    ca_file: str | None = None

    def ask(
        self, known: Validators, read: Callable[[bytes], Iterable[Advisory | None]]
    ) -> Published:
        """Ask whether there is anything but what is *known*.

        Args:
            read: the advisories of a page, and None for what is none.
        Raises:
            AgainLaterError: no answer now; `retry_after` if the server told.
            PersonNeededError: the page is not there, or elsewhere. No redirect is followed:
                where a feed leads is for a person to say.
        """
        with Service(self.name, self.timeout_s, self.ca_file).talk() as talk:
            answer = talk.send(Ask("GET", self.url, headers=_headers(known)))
        if answer.status == 200:
            found = tuple(one for one in read(answer.body) if one is not None)
            return Published(found, _validators(answer.headers))
        if answer.status == 304 and known != Validators():
            return Published(validators=known, is_unchanged=True)
        raise self._refused(answer)

    def _refused(self, answer: Answer) -> AgainLaterError | PersonNeededError:
        if answer.status in {301, 302, 303, 307, 308}:
            host = _host(answer.headers.get("Location", "")) or "another address"
            return PersonNeededError(f"{self.name} has moved to {host}.", remedy=_REMEDY)
        if answer.status in _GONE:
            return PersonNeededError(refusal(self.name, "refuses us", answer), remedy=_REMEDY)
        problem = refusal(self.name, "cannot answer now", answer)
        return AgainLaterError(problem, retry_after=retry_after(answer.headers))


def json_of(name: str, body: bytes) -> Json:
    """Read JSON, or JSONP (a call around it).

    Raises:
        AgainLaterError: it is none: a page in HTML, say, which tells nothing of health.
    """
    try:
        written = body.decode("utf-8-sig")
        call = _JSONP.match(written)
        value: Json = json.loads(call[1] if call else written, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise AgainLaterError(f"{name}'s answer is not JSON.") from error
    return value


def _refuse(name: str) -> None:
    """NaN and its like are no JSON, and a database would say so later."""
    raise ValueError(name)


def _headers(known: Validators) -> dict[str, str]:
    headers = {"User-Agent": "Seedwatch", "Accept": "*/*"}
    if known.etag:
        headers["If-None-Match"] = known.etag
    if known.last_modified:
        headers["If-Modified-Since"] = known.last_modified
    return headers


def _validators(headers: Mapping[str, str]) -> Validators:
    etag, date = headers.get("ETag", ""), headers.get("Last-Modified", "")
    return Validators(
        etag if len(etag) <= MAX_ETAG and etag.isascii() and etag.isprintable() else "",
        date if len(date) <= MAX_DATE and date.isascii() and date.isprintable() else "",
    )


def _host(url: str) -> str:
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return ""
    return host if re.fullmatch(r"[a-z0-9.:-]{1,253}", host) else ""
