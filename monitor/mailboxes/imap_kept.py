"""The connection to one mailbox, kept between looks: opened when needed, and again when lost."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TypeVar

from monitor.core.errors import MailboxLockedError
from monitor.core.ports import TokenSource
from monitor.core.seeds import Account, ProviderFacts
from monitor.mailboxes.budget import Budget
from monitor.mailboxes.imap_client import ImapClient
from monitor.mailboxes.imap_sign_in import sign_in
from monitor.mailboxes.imap_stream import ConnectionLostError, ThrottledError

T = TypeVar("T")


class KeptConnection:
    """Lends its client to one thread at a time. See ImapMailbox for the arguments."""

    def __init__(
        self,
        account: Account,
        facts: ProviderFacts,
        *,
        timeout_s: float,
        ca_file: str | None,
        tokens: TokenSource | None,
        budget: Budget | None,
    ) -> None:
        self._account = account
        self._facts = facts
        self._timeout_s = timeout_s
        self._ca_file = ca_file
        self._tokens = tokens
        self._budget = budget
        self._lock = threading.Lock()
        self._is_serial = facts.serial
        self.client: ImapClient | None = None  # while one is open

    def lend(self, work: Callable[[ImapClient], T]) -> T:
        """Do *work* with a client that is signed in.

        Raises:
            MailboxLockedError: sign-in refused, or a wrong certificate.
            MailboxBusyError: try again later; `retry_after` grows where the server throttles.
        """
        with self._lock, self._entered():
            result = self._retrying(work)
            if self._budget is not None:
                self._budget.fine(self._facts, self._account.address)
            return result

    def close(self, forget: Callable[[], None]) -> None:
        """End the connection, and *forget* what was learnt while nobody looks. Never raises."""
        with self._lock:
            self._drop()
            forget()

    def _entered(self) -> AbstractContextManager[None]:
        if self._budget is None:
            return nullcontext()
        return self._budget.enter(self._facts, self._account.address)

    def _retrying(self, work: Callable[[ImapClient], T]) -> T:
        """Do *work*, on a new connection if the server has closed the kept one meanwhile.

        If it closes that one too, while it owes answers to several commands, it may not take
        several in one write: then they are sent one by one.
        """
        if self.client is not None:
            with suppress(ConnectionLostError):
                return self._guarded(work)
        try:
            return self._guarded(work)
        except ConnectionLostError as error:
            if not error.was_amid_batch or self._is_serial:
                raise
        return self._one_by_one(work)

    def _one_by_one(self, work: Callable[[ImapClient], T]) -> T:
        """Do *work* command by command, and go on so if that helps: if not, it was an outage."""
        self._is_serial, has_helped = True, False
        try:
            result = self._guarded(work)
            has_helped = True
        finally:
            self._is_serial = has_helped
        return result

    def _guarded(self, work: Callable[[ImapClient], T]) -> T:
        is_done = False
        try:
            result = work(self._connected())
            is_done = True
        except ThrottledError as error:
            if self._budget is not None:
                error.retry_after = self._budget.busy(self._facts, self._account.address)
            raise
        except MailboxLockedError as error:
            raise MailboxLockedError(
                error.what, remedy=error.remedy or self._facts.login_remedy
            ) from error
        finally:
            if not is_done:
                self._drop()  # answers may still be under way that nobody waits for
        return result

    def _drop(self) -> None:
        if self.client is not None:
            self._is_serial |= self.client.is_serial
            self.client.close()
            self.client = None
        if self._budget is not None:
            self._budget.drop(self._facts, self)

    def _give_up(self) -> bool:
        """Close the connection if nobody uses it now; say whether it did."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            was_open = self.client is not None
            self._drop()
            return was_open
        finally:
            self._lock.release()

    def _connected(self) -> ImapClient:
        if self.client is None:
            account = self._account
            if self._budget is not None:
                self._budget.take(self._facts, account.address, self, self._give_up)
            self.client = ImapClient(
                account.server,
                account.address,
                timeout_s=self._timeout_s,
                ca_file=self._ca_file,
                is_serial=self._is_serial,
            )
            sign_in(self.client, account, self._tokens)
        return self.client
