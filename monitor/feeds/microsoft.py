"""What Microsoft publishes to a tenant about the health of Microsoft 365.

Source: learn.microsoft.com, "List serviceAnnouncement issues" (Graph v1.0). Its samples
and its service differ in the case of keys and statuses, so neither is relied on. Advisories
are revised later, their start included: each version is a new `Advisory`.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime

from monitor.bounded_http import Json
from monitor.core.advisories import kinds_of
from monitor.core.errors import AgainLaterError
from monitor.core.ports import Advisory, Published, Validators
from monitor.feeds.fields import as_published, moment, text
from monitor.feeds.plain_text import plain_text
from monitor.tenant import Tenant, TenantAccess

MAX_PAGES = 20
MAX_ISSUES = 2_000
MAX_TEXT = 20_000  # characters of one advisory
MAX_POSTS = 50  # of one advisory, the newest ones

_REMEDY = "Grant the app ServiceHealth.Read.All, and check tenant, client id and secret."
_ISSUES = "/v1.0/admin/serviceAnnouncement/issues"
# Exchange Online, the suite as a whole, and Defender, whose filters decide on mail.
_MAIL_IDS = {"EX", "MO", "DZ"}
_MAIL_SERVICES = ("exchange", "microsoft 365", "defender")
# Statuses after which nothing is wrong any longer, lower case.
_OVER = {
    "servicerestored",
    "serviceoperational",
    "postincidentreviewpublished",
    "falsepositive",
    "resolved",
    "resolvedexternal",
    "mitigated",
    "mitigatedexternal",
}


class MicrosoftHealthFeed:
    """A `StatusFeed` (see core/ports.py) over one tenant's service announcements."""

    def __init__(self, access: TenantAccess, *, name: str = "microsoft365") -> None:
        self.name = name
        self._tenant = Tenant(access, remedy=_REMEDY)

    def ask(self, known: Validators) -> Published:
        """As `StatusFeed`; Graph knows no conditional requests for issues."""
        del known
        return Published(tuple(self.advisories()))

    def advisories(self) -> list[Advisory]:
        """Return the issues of the services that carry mail, resolved ones included."""
        found = [_advisory(issue) for issue in self._issues() if _is_about_mail(issue)]
        return [advisory for advisory in found if advisory is not None][:MAX_ISSUES]

    def _issues(self) -> Iterator[Mapping[str, Json]]:
        following: Json = _ISSUES
        for _ in range(MAX_PAGES):
            if not isinstance(following, str):
                return
            page = self._tenant.get(following)
            rows = page.get("value")
            if not isinstance(rows, list):
                raise AgainLaterError("Microsoft's status has a page that affirms nothing.")
            yield from (row for row in rows if isinstance(row, dict))
            following = page.get("@odata.nextlink")


def _is_about_mail(issue: Mapping[str, Json]) -> bool:
    service = text(issue, "service").lower()
    prefix = text(issue, "id")[:2].upper()
    return prefix in _MAIL_IDS or not service or any(word in service for word in _MAIL_SERVICES)


def _advisory(issue: Mapping[str, Json]) -> Advisory | None:
    """Understand one issue; None without an id or any time, as nothing can be done with it."""
    id_ = text(issue, "id")[:64]
    started, ended = moment(issue.get("startdatetime")), moment(issue.get("enddatetime"))
    posts = _posts(issue)
    posted = [at for at, _ in posts if at is not None]
    title = plain_text(text(issue, "title"), limit=300)
    story = _story(issue, [told for _, told in posts])
    updated = moment(issue.get("lastmodifieddatetime")) or max(posted, default=started)
    if not (id_ and id_.isprintable()) or updated is None:
        return None
    resolved = issue.get("isresolved") is True or text(issue, "status").lower() in _OVER
    return Advisory(
        id=id_,
        provider="microsoft365",
        title=title,
        text=story,
        started_at=started,
        ended_at=ended,
        # Nothing tells when it was first shown but its first post.
        published_at=min(posted, default=updated),
        updated_at=updated,
        is_resolved=resolved,
        url=f"https://admin.microsoft.com/#/servicehealth/:/alerts/{id_}" if id_.isalnum() else "",
        kinds=kinds_of(f"{title}\n{story}"),
        raw=as_published(issue),
    )


def _posts(issue: Mapping[str, Json]) -> list[tuple[datetime | None, str]]:
    """Return (time, text) of each post, oldest first as the service lists them."""
    rows = issue.get("posts")
    posts = []
    for row in rows if isinstance(rows, list) else []:
        if isinstance(row, dict):
            description = row.get("description")
            content = text(description, "content") if isinstance(description, dict) else ""
            at = moment(row.get("createddatetime"))
            posts.append((at, plain_text(content, limit=MAX_TEXT)))
    return posts[-MAX_POSTS:]


def _story(issue: Mapping[str, Json], posts: list[str]) -> str:
    """Draw impact and posts together, the newest post first: it says how things stand."""
    impact = plain_text(text(issue, "impactdescription"), limit=2_000)
    parts = [impact, *reversed(posts)]
    return "\n\n".join(part for part in parts if part)[:MAX_TEXT]
