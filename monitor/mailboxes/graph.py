"""What a Microsoft 365 mailbox does not show, asked of its tenant's own logs.

Quarantine is no folder, and mail that was pulled back is in none. Advanced hunting knows
where each message is now; where it may not be asked, or is late, message trace knows where
the message went at delivery.
"""

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from monitor.core.campaigns import Found, Role, Wanted
from monitor.core.clock import Clock, SystemClock
from monitor.core.errors import MailboxBusyError, MailboxLockedError
from monitor.core.folders import FolderSight, HasFolders
from monitor.core.ports import Mailbox, PartlyReadError
from monitor.mailboxes import hunting
from monitor.mailboxes.http_mail import GraphRefusedError, Row, of_a_mailbox
from monitor.mailboxes.hunting import Click, MailLink, Traces
from monitor.mailboxes.message_trace import traced
from monitor.tenant import NAME, Tenant, TenantAccess

log = logging.getLogger(__name__)

HUNT_AGAIN = 200  # looks after which a tenant that refused to be hunted is asked once more
FRESH_FOR = timedelta(minutes=1)  # the newest entry of the log is asked for no more often
CLOCKS_DIFFER = timedelta(minutes=2)  # ours and Microsoft's, and their times have whole seconds

_REMEDY = "Check tenant, client id and secret, and the permissions that docs/reading.md lists."


class GraphTenant:
    """The logs of one tenant, read with an app's own permissions. Safe between threads.

    Args:
        clock: tells when the log was last asked how fresh it is.
    """

    def __init__(self, access: TenantAccess, *, clock: Clock | None = None) -> None:
        self.tenant = Tenant(access, remedy=_REMEDY)
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._until_hunt = 0  # looks that are left to message trace
        self._was_refused = False
        self._rests_until: datetime | None = None
        self._newest: datetime | None = None
        self._newest_asked_at: datetime | None = None

    def __repr__(self) -> str:
        return f"GraphTenant({self.tenant!r})"

    @property
    def newest_event(self) -> datetime | None:
        """What `freshness` was when it was last asked for."""
        return self._newest

    def sign_in(self) -> None:
        """Prove that the tenant lets us in.

        Raises:
            MailboxLockedError, MailboxBusyError: it does not.
        """
        with of_a_mailbox():
            self.tenant.sign_in()

    def freshness(self) -> datetime | None:
        """Return when the newest entry of the tenant's log was made; None if it has none.

        Raises:
            GraphRefusedError: hunting is refused.
            MailboxLockedError, MailboxBusyError: the tenant does not let us in, or answer.
        """
        return self._asked_newest()

    def places(self, wanted: Sequence[Wanted], recipient: str) -> list[Found]:
        """Say where each of *wanted* is now; what is in no log is left out.

        Raises:
            PartlyReadError: the log is too late to tell of all of them.
            MailboxLockedError: sign-in or both logs refused.
            MailboxBusyError: no answer now; `retry_after` if the service told.
        """
        if not wanted:
            return []
        if self._is_hunt_due():
            try:
                found = self._hunt(wanted, recipient)
            except GraphRefusedError as error:
                self._hunt_later(error)
            else:
                self._hunt_on()
                return found
        return self._trace(wanted, recipient, note="message trace, as hunting is refused")

    def clicks(self, wanted: Sequence[Wanted], recipient: str) -> list[Click]:
        """Return who followed the links of *wanted*, and what Safe Links did about it.

        Raises: as `places`, but for PartlyReadError: clicks that are not in the log yet are
            not told of.
        """
        traces = hunting.traces(self._post, wanted, recipient)
        return hunting.clicks(self._post, traces.network_ids)

    def links(self, wanted: Sequence[Wanted], recipient: str) -> list[MailLink]:
        """Return the links that Defender saw in *wanted*; raises as `clicks`."""
        traces = hunting.traces(self._post, wanted, recipient)
        return hunting.links(self._post, traces.network_ids)

    def _hunt(self, wanted: Sequence[Wanted], recipient: str) -> list[Found]:
        traces = hunting.traces(self._post, wanted, recipient)
        found = [self._with_clicks(one, traces) for one in traces.found]
        # Of a copy that was found before there was a row: it is not the log that is late.
        unknown = [w for w in wanted if w.message_id not in traces.known and not w.was_found]
        try:
            late = self._late(unknown) if unknown else []
            found += self._trace_late(late, recipient) if late else []
        except (MailboxBusyError, MailboxLockedError) as error:
            raise _partly(found, error) from error
        if late and self._newest is not None:  # a log without entries is none: trace has spoken
            raise PartlyReadError(_late_words(self._newest), partial=found)
        return found

    def _with_clicks(self, found: Found, traces: Traces) -> Found:
        """Say of a copy that was pulled back what readers had done with its links."""
        network_ids = traces.moved(found.message_id)
        if not network_ids:
            return found
        try:
            clicks = hunting.clicks(self._post, network_ids)
            links = hunting.links(self._post, network_ids)
        except (MailboxBusyError, MailboxLockedError):
            return found  # where the copy is does not depend on it
        return replace(found, note=hunting.with_links(found.note, links, clicks))

    def _trace_late(self, late: Sequence[Wanted], recipient: str) -> list[Found]:
        """Ask message trace, which is refused to some; then hunting alone will tell, later."""
        try:
            return self._trace(late, recipient, note="message trace, as hunting is late")
        except GraphRefusedError:
            if self._newest is None:
                raise
            return []

    def _late(self, unknown: Sequence[Wanted]) -> list[Wanted]:
        """Return those that were sent after all that the log tells of."""
        newest = self._asked_newest()
        return [w for w in unknown if newest is None or w.sent_at > newest + CLOCKS_DIFFER]

    def _asked_newest(self) -> datetime | None:
        """Return when the newest entry was made; what was learnt lately is not asked again."""
        now = self._clock.now()
        with self._lock:
            asked_at = self._newest_asked_at
            if asked_at is not None and timedelta(0) <= now - asked_at < FRESH_FOR:
                return self._newest
        newest = hunting.newest_event(self._post)
        with self._lock:
            self._newest = newest
            self._newest_asked_at = now
        return newest

    def _trace(self, wanted: Sequence[Wanted], recipient: str, *, note: str) -> list[Found]:
        return traced(self._get, wanted, recipient, note=note)

    def _get(self, path: str, params: Mapping[str, str] | None) -> Row:
        with self._left_alone(), of_a_mailbox():
            return self.tenant.get(path, params)

    def _post(self, path: str, body: Mapping[str, str]) -> Row:
        with self._left_alone(), of_a_mailbox():
            return self.tenant.post(path, body)

    @contextmanager
    def _left_alone(self) -> Iterator[None]:
        """Ask nothing for as long as the service wants to be left alone."""
        now, until = self._clock.now(), self._rests_until
        if until is not None and now < until:
            what = f"{NAME} is left alone until {until:%H:%M:%S} UTC, as it asked for."
            raise MailboxBusyError(what, retry_after=until - now)
        try:
            yield
        except MailboxBusyError as error:
            if error.retry_after:
                self._rests_until = self._clock.now() + error.retry_after
            raise

    def _is_hunt_due(self) -> bool:
        with self._lock:
            self._until_hunt = max(self._until_hunt - 1, 0)
            return self._until_hunt == 0

    def _hunt_later(self, error: GraphRefusedError) -> None:
        """Leave the next looks to message trace, and say so once.

        Hunting needs a licence that many tenants lack, while message trace does not. But a
        permission may be granted meanwhile, and a refusal may have been a mistake.
        """
        with self._lock:
            is_news, self._was_refused = not self._was_refused, True
            self._until_hunt = HUNT_AGAIN
        if is_news:
            log.warning(
                "Tenant %s: hunting refused, so message trace is asked, which does not know what"
                " happened after delivery; hunting is tried again every %d looks. %s",
                self.tenant.access.tenant,
                HUNT_AGAIN,
                error,
            )

    def _hunt_on(self) -> None:
        with self._lock:
            is_news, self._was_refused = self._was_refused, False
        if is_news:
            log.info("Tenant %s: hunting is no longer refused", self.tenant.access.tenant)


class CombinedMailbox:
    """A `Mailbox` that asks the tenant about copies that the mailbox itself does not show.

    What the mailbox can show is believed of it alone: the logs lag behind it, and one that
    says "inbox" of a copy that is no longer there would be wrong.
    """

    def __init__(self, mailbox: Mailbox, tenant: GraphTenant, address: str) -> None:
        self._mailbox = mailbox
        self._tenant = tenant
        self._address = address

    def look(self, wanted: Sequence[Wanted]) -> list[Found]:
        try:
            found = self._mailbox.look(wanted)
        except PartlyReadError as error:
            raise self._with_hidden(list(error.partial), wanted, error) from error
        if not wanted:
            self._tenant.sign_in()
        try:
            return found + self._hidden(found, wanted)
        except PartlyReadError as error:
            raise _partly([*found, *_quarantined(error.partial)], error) from error
        except (MailboxBusyError, MailboxLockedError) as error:
            if not found:
                raise
            raise _partly(found, error) from error

    def read(self, message_id: str, *, limit: int) -> bytes | None:
        return self._mailbox.read(message_id, limit=limit)

    def layout(self) -> list[FolderSight]:
        """Say of every folder what it is for, and where quarantine is seen (core/folders.py)."""
        shown = self._mailbox.layout() if isinstance(self._mailbox, HasFolders) else []
        hidden = FolderSight("Quarantine", Role.QUARANTINE, "the tenant's own logs tell of it")
        return [*shown, hidden]

    def close(self) -> None:
        self._mailbox.close()

    def _with_hidden(
        self, found: list[Found], wanted: Sequence[Wanted], error: PartlyReadError
    ) -> PartlyReadError:
        """Add what the tenant knows to what a mailbox showed that was partly read."""
        try:
            hidden = self._hidden(found, wanted)
        except PartlyReadError as late:
            hidden = _quarantined(late.partial)
        except (MailboxBusyError, MailboxLockedError):
            hidden = []
        return _partly(found + hidden, error)

    def _hidden(self, found: Sequence[Found], wanted: Sequence[Wanted]) -> list[Found]:
        seen = {one.message_id for one in found}
        unseen = [w for w in wanted if w.message_id not in seen]
        return _quarantined(self._tenant.places(unseen, self._address))


def _late_words(newest: datetime) -> str:
    return f"Microsoft's log of mail is late: its newest entry is of {newest:%Y-%m-%d %H:%M} UTC."


def _quarantined(found: Sequence[Found]) -> list[Found]:
    return [one for one in found if one.role is Role.QUARANTINE]


def _partly(found: list[Found], error: MailboxBusyError | MailboxLockedError) -> PartlyReadError:
    """Let what was found be known, though the rest is not."""
    wait = error.retry_after if isinstance(error, MailboxBusyError) else None
    return PartlyReadError(error.what, partial=found, remedy=error.remedy, retry_after=wait)
