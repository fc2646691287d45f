"""Which server takes the mail for a recipient."""

from collections.abc import Callable
from dataclasses import dataclass

from monitor.core.errors import AgainLaterError, TransportBusyError
from monitor.core.ports import Resolver
from monitor.core.seeds import Endpoint, Security

Route = Callable[[str], Endpoint]  # recipient address -> server


@dataclass(frozen=True, slots=True)
class Mx(Endpoint):
    """A server whose name comes from the DNS, so that a certificate for it proves little.

    Mail to it is encrypted as well as it goes (RFC 7435), as mail servers do among each
    other: many show certificates of their own making, and would take it unencrypted.
    """


def smarthost(endpoint: Endpoint) -> Route:
    """Route everything through one server: the ESP's or the sender's own."""
    return lambda _recipient: endpoint


class DirectRoute:
    """Routes to the recipient domain's best MX, as a mail server without smarthost does.

    Only the best MX is used: a copy that fell back to a second one would have met another
    machine of the same filter, which a monitor would rather learn than hide.
    """

    def __init__(
        self, resolver: Resolver, port: int = 25, *, security: Security = Security.STARTTLS
    ) -> None:
        self._resolver = resolver
        self._port = port
        self._security = security

    def __call__(self, recipient: str) -> Mx:
        """Return the server for *recipient*.

        Raises:
            AgainLaterError: the DNS did not answer.
            TransportBusyError: the domain says that it takes no mail (RFC 7505).
        """
        domain = recipient.rpartition("@")[2].lower()
        try:
            hosts = self._resolver.mx(domain)
        except AgainLaterError as error:
            raise TransportBusyError(f"cannot find the mail server of {domain}: {error}") from error
        host = hosts[0] if hosts else domain  # no MX: the domain itself (RFC 5321 section 5.1)
        if host.strip(".") == "":
            raise TransportBusyError(f"{domain} takes no mail at all: its MX is the null MX.")
        return Mx(host, self._port, self._security)
