"""A wired Seedwatch, ready to work and to show."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from sqlalchemy import Engine

from monitor.core.clock import Clock
from monitor.core.ports import Mailbox
from monitor.core.seeds import ProviderFacts
from monitor.judge.judge import Judge
from monitor.lookups.mail_hosts import MailHosts
from monitor.settings import Settings
from monitor.signed_links import SignedLinks
from monitor.steps.judge import Bench
from monitor.store import seeds
from monitor.store.engine import open_engine
from monitor.store.secrets import Vault
from monitor.store.tables import SeedRow
from monitor.web.app import create_app
from monitor.web.parts import Parts
from monitor.wiring.edges import Edges, edges_from
from monitor.wiring.facts import load_facts
from monitor.wiring.mailboxes import KeptMailboxes
from monitor.wiring.readers import Rows
from monitor.wiring.templates import check_templates
from monitor.wiring.work import handlers
from monitor.worker import Worker

WEB_WITHIN_S = 10.0  # for the DNS, of a request that waits
LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True, slots=True)
class House:
    """Everything that the doors (command line, web server) open on."""

    settings: Settings
    engine: Engine
    clock: Clock
    rng: random.Random
    vault: Vault
    links: SignedLinks
    facts: Mapping[str, ProviderFacts]
    edges: Edges
    mailboxes: KeptMailboxes
    mail_hosts: MailHosts
    bench: Bench

    def app(self, *, banner: str = "") -> Flask:
        """Make the web application."""
        return create_app(
            Parts(
                engine=self.engine,
                clock=self.clock,
                facts=self.facts,
                banner=banner,
                templates_dir=self.settings.data.templates_dir,
                hosts=self._names(),
                inbound_key=self.settings.inbound.key.get_secret_value(),
                links=self.links,
                providers_of=partial(self.mail_hosts.providers_of, within_s=WEB_WITHIN_S),
                status_url=self._status_url(),
            )
        )

    def _status_url(self) -> str:
        """Where everybody may read how filters are doing; "": nobody."""
        return self.settings.web.base_url if self.settings.status.public else ""

    def _names(self) -> tuple[str, ...]:
        """Under which names the pages may be asked for: ours, and that of a proxy before us."""
        public = urlsplit(self.settings.web.base_url).hostname or ""
        host = self.settings.web.host
        names = {*LOOPBACK, f"[{host}]" if ":" in host else host, public}
        return tuple(sorted(names - {""}))

    def worker(self) -> Worker:
        """Make a worker for every kind of job."""
        return Worker(
            self.engine,
            handlers(self),
            self.clock,
            threads=self.settings.worker.threads,
            lease=timedelta(seconds=self.settings.worker.lease_seconds),
            queue=self.settings.worker.queue,
            rng=self.rng,
        )

    def close(self) -> None:
        """Close every connection that this house holds."""
        self.mailboxes.close()
        self.engine.dispose()


def build(
    settings: Settings,
    *,
    clock: Clock,
    rng: random.Random,
    edges: Edges | None = None,
    facts: Mapping[str, ProviderFacts] | None = None,
) -> House:
    """Wire a Seedwatch from *settings*. Nothing is connected to yet.

    Args:
        edges: in place of those that the settings ask for.
        facts: in place of those in seedlists/.
    """
    if settings.data.templates_dir is not None:  # ours are checked by their tests
        check_templates(settings.data.templates_dir)
    known = facts or load_facts(settings.data.seedlists_dir)
    keys = [key.get_secret_value() for key in settings.secrets.keys]
    vault = Vault(keys)
    engine = open_engine(settings.database.url)
    outside = edges or edges_from(settings, clock, Rows(engine, vault))

    def open_seed(seed: SeedRow) -> Mailbox:
        of_provider = known.get(seed.provider)
        return outside.open_mailbox(seeds.account(seed, of_provider, vault), of_provider)

    return House(
        settings=settings,
        engine=engine,
        clock=clock,
        rng=rng,
        vault=vault,
        links=SignedLinks(keys, settings.web.base_url, clock),
        facts=known,
        edges=outside,
        mailboxes=KeptMailboxes(open_seed),
        mail_hosts=MailHosts(outside.resolver, known, clock),
        bench=Bench(partial(_make_judge, settings, known)),
    )


def _make_judge(
    settings: Settings, facts: Mapping[str, ProviderFacts], snapshot: Mapping[str, Any] | None
) -> Judge:
    names = {provider: known.name for provider, known in facts.items()}
    rate = settings.judge.false_alarms_per_year
    if snapshot:
        return Judge.restore(snapshot, false_alarms_per_year=rate, names=names)
    return Judge(false_alarms_per_year=rate, names=names)
