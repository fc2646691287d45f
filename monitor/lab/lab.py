"""The lab as its users see it: start it, give people mailboxes, look behind the scenes."""

import asyncio
import threading
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime

from monitor.core.clock import Clock
from monitor.core.errors import BadInputError, NotFoundError
from monitor.core.seeds import Endpoint, Security
from monitor.lab.connections import Connections
from monitor.lab.crowd import crowd
from monitor.lab.dnsd import Zone, serve_dns, zone_of
from monitor.lab.graph import Graph, Tenant
from monitor.lab.httpd import Request, Response, serve_http
from monitor.lab.imap_faults import plan_revalidations
from monitor.lab.imapd import serve_imap
from monitor.lab.mailboxes import Folder, LabMailbox, Message
from monitor.lab.providers import PROFILES, Profile
from monitor.lab.safelinks import answer as follow_link
from monitor.lab.scenario import Scenario, nearest
from monitor.lab.smtpd import serve_smtp
from monitor.lab.world import Counters, World

HOST = "127.0.0.1"
PATIENCE_S = 10.0  # for the lab's own thread to start or stop


@dataclass(frozen=True, slots=True)
class LabProvider:
    """Where one simulated provider listens."""

    id: str
    domain: str
    smtp: Endpoint
    imap: Endpoint


class Lab:
    """Simulated providers on loopback, from entering the context until leaving it.

    All methods may be called from any thread, most of them before the start as well.
    Scenario times count from `clock.now()` at construction.
    """

    def __init__(self, scenario: Scenario, *, clock: Clock, seed: int) -> None:
        self._world = World(scenario, clock=clock, seed=seed)
        plan_revalidations(self._world)
        self._tenant = Tenant("lab-tenant", "seedwatch-lab", f"lab-secret-{seed}")
        self._graph = Graph(self._world, self._tenant)
        self._zone: Zone = zone_of(self._world.domains)
        self.providers: dict[str, LabProvider] = {}
        self.dns: tuple[str, int] = ("", 0)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    def __enter__(self) -> "Lab":
        started: Future[None] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(started)), name="lab", daemon=True
        )
        self._thread.start()
        started.result(PATIENCE_S)
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread is not None:
            self._thread.join(PATIENCE_S)

    async def _serve(self, started: "Future[None]") -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        connections = Connections()
        servers: list[asyncio.Server] = []
        try:
            for profile in PROFILES.values():
                servers += await self._listen(profile, connections)
            servers.append(await self._listen_http(connections))
            self.dns = await serve_dns(self._zone, connections, HOST)
        except OSError as error:
            started.set_exception(error)
        else:
            started.set_result(None)
            await self._stop.wait()
        for server in servers:
            server.close()
        await connections.close()

    async def _listen(self, profile: Profile, connections: Connections) -> list[asyncio.Server]:
        smtp = await serve_smtp(self._world, profile, connections, HOST)
        imap = await serve_imap(self._world, profile, connections, HOST)
        self.providers[profile.id] = LabProvider(
            profile.id, profile.domain, _endpoint(smtp), _endpoint(imap)
        )
        return [smtp, imap]

    async def _listen_http(self, connections: Connections) -> asyncio.Server:
        server = await serve_http(self._answer_http, connections, HOST)
        self._world.api_url = f"http://{_endpoint(server)}"
        return server

    def _answer_http(self, request: Request) -> Response:
        with self._world.lock:
            self._world.settle()
            answer = self._graph.answer(request) or follow_link(self._world, request)
            return answer or Response.of_html("<!doctype html><title>Not found</title>", status=404)

    @property
    def api_url(self) -> str:
        """Base of token endpoint, Graph-shaped API and link page; no slash at the end."""
        return self._world.api_url

    @property
    def graph_tenant(self) -> str:
        return self._tenant.id

    @property
    def graph_client_id(self) -> str:
        return self._tenant.client_id

    @property
    def graph_client_secret(self) -> str:
        return self._tenant.client_secret

    def add_record(self, name: str, kind: str, *records: str) -> None:
        """Let the lab's DNS answer for one more name, in zone file notation."""
        self._zone[name.lower().rstrip(".") + ".", kind.upper()] = list(records)

    def add_domain(self, domain: str, provider: str) -> None:
        """Let one more domain be hosted by a provider."""
        if provider not in PROFILES:
            remedy = nearest(provider, list(PROFILES))
            raise BadInputError("provider", provider, "is not of the lab", remedy=remedy)
        with self._world.lock:
            self._world.domains[domain.lower()] = PROFILES[provider]
            self._zone.update(zone_of({domain.lower(): PROFILES[provider]}))

    def add_mailbox(self, address: str, password: str) -> None:
        """Give a person a mailbox; the provider follows from the domain.

        Done again, it changes the password and nothing else.

        Raises:
            BadInputError: no provider of the lab hosts this domain.
        """
        with self._world.lock:
            profile = self._world.profile_of(address)
            if profile is None:
                remedy = nearest(address.rpartition("@")[2], list(self._world.domains))
                raise BadInputError("address", address, "is not hosted in the lab", remedy=remedy)
            known = self._world.mailboxes.get(address.lower())
            if known is not None:
                known.password = password
                return
            validity = int(self._world.started_at.timestamp()) & 0x7FFFFFFF
            self._world.mailboxes[address.lower()] = LabMailbox(
                address.lower(),
                password,
                (Folder(name, attributes, validity) for name, attributes in profile.folders),
            )

    def smtp_route(self, domain: str) -> Endpoint:
        """Return the mail server of a domain.

        Raises:
            NotFoundError: the lab does not host it, or has not been started.
        """
        profile = self._world.domains.get(domain.lower())
        if profile is None or profile.id not in self.providers:
            raise NotFoundError(f"no mail server of the lab takes mail for {domain}")
        return self.providers[profile.id].smtp

    def fill(self, address: str, count: int, folder: str = "INBOX") -> None:
        """Put *count* messages of other people into a folder, a minute apart, the last one now."""
        with self._world.lock:
            target = self._folder(address, folder)
            for message, date in crowd(count, self._world.now()):
                target.add(message, date)

    def add_message(self, address: str, folder: str, raw: bytes) -> None:
        """Put a message into a folder as it is, past every filter; bare line feeds become CRLF."""
        crlf = raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        with self._world.lock:
            message = Message(b"", crlf, number=self._world.next_number())
            self._folder(address, folder).add(message, self._world.now())

    def flags(self, address: str, folder: str) -> list[set[str]]:
        """Return the flags of each message in a folder, oldest first."""
        with self._world.lock:
            self._world.settle()
            return [set(e.flags) for e in self._folder(address, folder).entries]

    def places(self, message_id: str) -> list[tuple[str, str]]:
        """Return address and folder of every message with this Message-ID: the truth."""
        wanted = message_id.encode("utf-8", "replace")
        with self._world.lock:
            self._world.settle()
            return [
                (mailbox.address, folder.name)
                for mailbox in self._world.mailboxes.values()
                for folder in mailbox.folders.values()
                for entry in folder.entries
                if wanted in entry.message.values(b"message-id")
            ]

    def _folder(self, address: str, name: str) -> Folder:
        mailbox = self._world.mailboxes.get(address.lower())
        folder = mailbox.folder(name) if mailbox else None
        if folder is None:
            raise NotFoundError(f"the lab has no folder {name} of {address}")
        return folder

    def next_event_at(self) -> datetime | None:
        """When the scenario or a message moves next; None if nothing more will happen."""
        with self._world.lock:
            return self._world.next_event_at()

    @property
    def stats(self) -> dict[str, Counters]:
        """Counters per provider, as they are now."""
        with self._world.lock:
            return {id_: replace(self._world.counters[id_]) for id_ in PROFILES}


def _endpoint(server: asyncio.Server) -> Endpoint:
    host, port = server.sockets[0].getsockname()[:2]
    return Endpoint(host, port, Security.PLAIN)
