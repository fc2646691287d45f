"""A GET that cannot be turned against the machine it runs on: peer, size and time are bound.

The name in an address proves nothing, as it may resolve otherwise the next moment. So the
peer is checked once it is connected and before a byte is sent.
"""

import ipaddress
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

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


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one GET, redirects not followed."""

    status: int
    headers: Mapping[str, str]
    body: bytes  # the first bytes of it


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
    with requests.Session() as session:
        session.trust_env = False  # a proxy would connect for us, unchecked
        adapter = _Adapter(lambda peer: _admit(peer, limit, allow_loopback=allow_loopback))
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        try:
            return _get(session, url, max_bytes, timeout_s=limit.seconds)
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            why = "no answer in time" if limit.is_over else "no connection"
            raise GetError(why) from error


def _get(session: requests.Session, url: str, max_bytes: int, *, timeout_s: float) -> Answer:
    with session.get(
        url, headers=_HEADERS, timeout=timeout_s, allow_redirects=False, stream=True
    ) as response:
        body = bytearray()
        while len(body) < max_bytes:
            chunk = response.raw.read1(max_bytes - len(body), decode_content=False)
            if not chunk:
                break
            body += chunk
        return Answer(response.status_code, response.headers, bytes(body))


def _admit(connection: socket.socket, limit: TimeLimit, *, allow_loopback: bool) -> socket.socket:
    """Let a fresh connection pass, or close it.

    Raises:
        OSError: its peer is none that we may talk to, or the time is over.
    """
    try:
        peer = str(connection.getpeername()[0])
        is_loopback = ipaddress.ip_address(peer.partition("%")[0]).is_loopback
        if not is_public(peer) and not (allow_loopback and is_loopback):
            raise ConnectionRefusedError("not a public address")
        limit.watch(connection)
    except OSError:
        connection.close()
        raise
    return connection


class _Adapter(HTTPAdapter):
    """Has every new connection of its own looked at by `admit`."""

    def __init__(self, admit: Callable[[socket.socket], socket.socket]) -> None:
        self._admit = admit
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: object, **kwargs: object) -> None:
        super().init_poolmanager(*args, **kwargs)  # type: ignore[arg-type]
        admit = self._admit

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return admit(super()._new_conn())

        class Encrypted(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return admit(super()._new_conn())

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class EncryptedPool(HTTPSConnectionPool):
            ConnectionCls = Encrypted

        pools = {"http": PlainPool, "https": EncryptedPool}
        self.poolmanager.pool_classes_by_scheme = pools
