"""A request that cannot be turned against the machine it runs on: peer, size and time are bound.

Link checks and webhooks ask so. The name in an address proves nothing, as it may resolve
otherwise the next moment. So each peer is checked by its number before it is connected to: not
even whether a port of our own network is open can be learned.
"""

import ipaddress
import logging
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType

from urllib3 import BaseHTTPResponse, HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LOOPBACK: tuple[Network, ...] = (
    ipaddress.IPv4Network("127.0.0.0/8"),
    ipaddress.IPv6Network("::1/128"),
)
# Of an answer that cannot be parsed, urllib3 logs the address, which may be a secret.
logging.getLogger("urllib3.connection").setLevel(logging.CRITICAL)

ADDRESSES = 4  # of a name, that all get a fair part of the time
MOST_ADDRESSES = 16  # of a name, that are tried at all
NOT_PUBLIC = "its address is not one of the public internet"
NOT_BARE = "only https is spoken with it"

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Protocol assignments; `is_global` lets 192.0.0.8 pass on Python 3.11.
_ASSIGNED = ipaddress.IPv4Network("192.0.0.0/24")
_HEADERS = {
    "User-Agent": "Mozilla/5.0 (compatible; Seedwatch)",
    "Accept": "text/html,*/*;q=0.5",
    "Accept-Encoding": "identity",  # so that the bytes we count are the bytes there are
}


class GetError(Exception):
    """No answer: why, in words that tell nothing about our own network."""


class NotAllowedError(GetError):
    """The server is none that we may talk to; nothing was sent."""


class BadCertificateError(GetError):
    """Nobody knows whether this is the server; nothing was sent."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one GET, redirects not followed."""

    status: int
    headers: Mapping[str, str]
    body: bytes  # the first bytes of it


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one exchange may do."""

    max_bytes: int  # of the answer's body that are read
    allowed: tuple[Network, ...] = ()  # that we may talk to although they are not public
    may_be_plain: bool = False  # without TLS, to public servers too
    context: ssl.SSLContext | None = field(default=None, repr=False)


class TimeLimit:
    """Cuts connections once the time is over, however slowly bytes drip in."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._watched: list[socket.socket] = []
        self.is_over = False

    def __enter__(self) -> "TimeLimit":
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        with self._lock:
            for connection in self._watched:
                connection.close()
            self._watched.clear()

    def watch(self, connection: socket.socket) -> None:
        """End *connection* when the time is over; a duplicate, as its owner may wrap it."""
        with self._lock:
            if self.is_over:
                raise TimeoutError
            self._watched.append(connection.dup())

    def _cut(self) -> None:
        with self._lock:
            self.is_over = True
            for connection in self._watched:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


def is_public(peer: str) -> bool:
    """Is *peer* an address of the public internet, also once it is unwrapped?"""
    address = unwrapped(ipaddress.ip_address(peer.partition("%")[0]))
    if isinstance(address, ipaddress.IPv4Address):
        is_local = address in _ASSIGNED
    else:
        is_local = address.is_site_local  # deprecated, and for `is_global` as good as any
    return not is_local and address.is_global and not (address.is_multicast or address.is_reserved)


def is_within(peer: str, networks: Sequence[Network]) -> bool:
    """Is *peer* an address of one of *networks*, also once it is unwrapped?"""
    plain = ipaddress.ip_address(peer.partition("%")[0])
    return any(address in one for address in (plain, unwrapped(plain)) for one in networks)


def unwrapped(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one leads to (mapped, 6to4, Teredo, NAT64)."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else address)


def get(url: str, *, limit: TimeLimit, max_bytes: int, allow_loopback: bool) -> Answer:
    """GET *url* without following redirects.

    Args:
        limit: of several GETs together.
        allow_loopback: for the lab, whose servers are on this machine.

    Raises:
        GetError: no answer, or none that we may ask for.
    """
    bounds = Bounds(max_bytes, allowed=LOOPBACK if allow_loopback else (), may_be_plain=True)
    return exchange("GET", url, headers=_HEADERS, limit=limit, bounds=bounds)


def exchange(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None = None,
    limit: TimeLimit,
    bounds: Bounds,
) -> Answer:
    """Send one request without following redirects, and read the beginning of its answer.

    Nothing of the environment is used: a proxy would connect for us, unchecked.

    Raises:
        NotAllowedError: the server is none that we may talk to.
        BadCertificateError: the server's certificate is not its own, or has run out.
        GetError: no answer.
    """
    gate = _Gate(limit, bounds)
    try:
        with PoolManager(retries=False, ssl_context=bounds.context) as pools:
            pools.pool_classes_by_scheme = gate.pools()
            response = pools.request(
                method,
                url,
                body=body,
                headers=headers,
                redirect=False,
                preload_content=False,
                timeout=limit.seconds,
            )
            with response:
                body = _read(response, bounds.max_bytes)
        if limit.is_over:  # what was cut off may look like an answer that ended
            raise TimeoutError
        return Answer(response.status, response.headers, body)
    except (HTTPError, OSError, ValueError) as error:
        raise gate.explained(error) from error


def _read(response: BaseHTTPResponse, max_bytes: int) -> bytes:
    body = bytearray()
    while len(body) < max_bytes:
        chunk = response.read1(max_bytes - len(body), decode_content=False)
        if not chunk:
            break
        body += chunk
    return bytes(body)


class _Gate:
    """Looks at every connection that one exchange makes, before anything is sent over it."""

    def __init__(self, limit: TimeLimit, bounds: Bounds) -> None:
        self._limit = limit
        self._bounds = bounds
        self._refused = ""

    def pools(self) -> dict[str, type[HTTPConnectionPool]]:
        """The kinds of connections to make, by scheme."""
        connected = self._connected
        may_be_plain = self._bounds.may_be_plain

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return connected(self._dns_host, self.port, is_bare=not may_be_plain)

        class Encrypted(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return connected(self._dns_host, self.port, is_bare=False)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class EncryptedPool(HTTPSConnectionPool):
            ConnectionCls = Encrypted

        return {"http": PlainPool, "https": EncryptedPool}

    def _connected(self, host: str, port: int, *, is_bare: bool) -> socket.socket:
        """Connect to the first address of *host* that answers, if all up to it may be asked.

        A name may have hundreds of addresses that are silent: all share the time of the exchange.

        Raises:
            OSError: a peer is none that we may talk to, none answers, or the time is over.
        """
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        patience = self._limit.seconds / min(len(found), ADDRESSES)
        problem: OSError | None = None
        for family, kind, protocol, _, address in found[:MOST_ADDRESSES]:
            self._look_at(str(address[0]), is_bare=is_bare)
            connection = socket.socket(family, kind, protocol)
            try:
                self._limit.watch(connection)
                connection.settimeout(patience)
                connection.connect(address)
                connection.settimeout(self._limit.seconds)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if not self._limit.is_over:  # what was cut off may seem to be connected
                    return connection
            except OSError as error:
                problem = error
            connection.close()
        # A fresh error: urllib3 takes a broken pipe for an answer that came early.
        raise OSError("none of its addresses can be connected to") from problem

    def _look_at(self, peer: str, *, is_bare: bool) -> None:
        if not is_within(peer, self._bounds.allowed):
            self._refuse(NOT_PUBLIC if not is_public(peer) else NOT_BARE if is_bare else "")

    def _refuse(self, why: str) -> None:
        if why:
            self._refused = why
            raise ConnectionRefusedError(why)

    def explained(self, error: Exception) -> GetError:
        """Say what failed, in words that tell nothing about our own network."""
        if self._refused:
            return NotAllowedError(self._refused)
        if self._limit.is_over:
            return GetError("no answer in time")
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return BadCertificateError("its certificate is not its own, or has run out")
        return GetError("no connection")
