"""The session resource of JMAP: where requests go, and whose mail they are about."""

from dataclasses import dataclass
from urllib.parse import quote, urljoin, urlsplit

from monitor.bounded_http import Ask
from monitor.core.errors import MailboxBusyError, MailboxLockedError
from monitor.mailboxes.http_mail import MailTalk, Row, text

CORE = "urn:ietf:params:jmap:core"
MAIL = "urn:ietf:params:jmap:mail"


@dataclass(frozen=True, slots=True)
class Session:
    """What RFC 8620 section 2 tells us, as far as we need it."""

    api_url: str
    download_url: str  # a URI template of level 1
    account: str
    state: str

    def download(self, blob: str) -> str:
        """Return the address of a blob (RFC 8620 section 6.2)."""
        values = {
            "accountId": self.account,
            "blobId": blob,
            "name": "message.eml",
            "type": "application/octet-stream",
        }
        url = self.download_url
        for name, value in values.items():
            url = url.replace("{" + name + "}", quote(value, safe=""))
        return url


def session_at(talk: MailTalk, url: str, remedy: str) -> Session:
    """Return the session of whom our token is of.

    Its addresses may be at other hosts, as Fastmail's are, since the server itself names them.
    But they must be as safe as the one that was configured.

    Raises:
        MailboxLockedError: refused, no such server, or an account without mail.
        MailboxBusyError: no answer that makes sense.
    """
    answer = talk.object(Ask("GET", url), hops=3)  # .well-known/jmap leads on
    primary = answer.get("primaryAccounts")
    account = text(primary, MAIL) if isinstance(primary, dict) else ""
    if isinstance(primary, dict) and not account:
        raise MailboxLockedError(f"{_host(url)} has no mail for this account.", remedy=remedy)
    api_url, download_url = _url(answer, "apiUrl", url), _url(answer, "downloadUrl", url)
    if not (account and api_url and download_url):
        raise MailboxBusyError(f"{_host(url)}'s answer is no JMAP session.")
    return Session(api_url, download_url, account, text(answer, "state"))


def _url(answer: Row, key: str, base: str) -> str:
    """Return an address of the session; "" if there is none that may have our token."""
    value = text(answer, key)
    try:
        whole = urljoin(base, value) if value else ""
        found = urlsplit(whole)
        is_safe = found.scheme == "https" or (
            urlsplit(base).scheme == "http" and found[:2] == urlsplit(base)[:2]
        )
    except ValueError:
        return ""
    return whole if is_safe and found.hostname else ""


def _host(url: str) -> str:
    return urlsplit(url).hostname or "the JMAP server"
