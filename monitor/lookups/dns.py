"""Asks the DNS for a domain's mail servers and texts."""

from collections.abc import Sequence
from typing import Any

import dns.exception
import dns.name
import dns.nameserver
import dns.resolver

from monitor.core.errors import AgainLaterError

MAX_HOSTS = 20  # of one domain
MAX_RECORDS = 100
_ROOT = "."


class DnsResolver:
    """A `Resolver` (see core/ports.py). Safe between threads.

    Args:
        nameservers: (address, port) of the servers to ask; None for the system's own.
        timeout_s: for one question, all tries together.
    """

    def __init__(self, nameservers: Sequence[tuple[str, int]] | None, *, timeout_s: float) -> None:
        self._nameservers = None if nameservers is None else tuple(nameservers)
        self._timeout_s = timeout_s
        self._resolver: dns.resolver.Resolver | None = None

    def mx(self, domain: str) -> list[str]:
        """Return the MX host names of *domain*, best first; [] if it takes no mail.

        A domain without MX is its own mail server (RFC 5321 section 5.1), but it is of no
        provider that we know. A null MX (RFC 7505) is none.
        """
        records = self._ask(domain, "MX")
        ranked = sorted((record.preference, record.exchange.to_text()) for record in records)
        hosts = [host.lower() for _, host in ranked if host != _ROOT]
        return [host.rstrip(".") for host in hosts][:MAX_HOSTS]

    def txt(self, domain: str) -> list[str]:
        """Return the TXT records of *domain*, the parts of each joined (RFC 7208 section 3.3)."""
        records = self._ask(domain, "TXT")[:MAX_RECORDS]
        return [b"".join(record.strings).decode("utf-8", "replace") for record in records]

    def _ask(self, domain: str, kind: str) -> list[Any]:
        """Return the records of one *kind*; [] if there are none, or no such name."""
        try:
            name = dns.name.from_text(domain)
        except (dns.exception.DNSException, UnicodeError):
            return []  # no name that could have a record
        try:
            return list(
                self._configured().resolve(name, kind, search=False, lifetime=self._timeout_s)
            )
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except dns.exception.DNSException as error:
            why = type(error).__name__
            raise AgainLaterError(f"the DNS gave no answer about {domain!r} ({why}).") from error

    def _configured(self) -> dns.resolver.Resolver:
        """Read the system's configuration at the first question: it may be missing."""
        if self._resolver is None:
            resolver = dns.resolver.Resolver(configure=self._nameservers is None)
            if self._nameservers is not None:
                resolver.nameservers = [
                    dns.nameserver.Do53Nameserver(address, port)
                    for address, port in self._nameservers
                ]
            self._resolver = resolver
        return self._resolver
