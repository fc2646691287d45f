"""Which step does which kind of job, and with what."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from sqlmodel import Session

from monitor.core.campaigns import Campaign, Letter
from monitor.evidence.compose import compose
from monitor.evidence.facts import facts
from monitor.evidence.links import links
from monitor.steps.check import LinkEdges, check
from monitor.steps.digest import digest
from monitor.steps.end import end
from monitor.steps.forget import forget
from monitor.steps.judge import judge
from monitor.steps.listen import listen
from monitor.steps.match import match
from monitor.steps.observe import observe
from monitor.steps.pass_time import pass_time
from monitor.steps.publish import publish
from monitor.steps.read import ReadingRules, read
from monitor.steps.remind import remind
from monitor.steps.send import Outside, send
from monitor.steps.start import start
from monitor.steps.survive import plan
from monitor.steps.tell import Channels, tell
from monitor.steps.warn import warn
from monitor.store.jobs import Job
from monitor.store.route_secrets import told_with
from monitor.wiring.letters import writers
from monitor.wiring.lookups import prove_domains
from monitor.wiring.upkeep import upkeep_handlers
from monitor.worker import Handler

if TYPE_CHECKING:
    from monitor.wiring.house import House

LINKS_READ = 50  # of one message


def handlers(house: "House") -> Mapping[str, Handler]:
    """Return, for each kind of job, who does it."""
    return {
        "start": partial(_start, house),
        "send": partial(_send, house),
        "look": partial(_look, house),
        "check": partial(_check, house),
        "observe": partial(_observe, house),
        "pass_time": partial(_pass_time, house),
        "digest": partial(_digest, house),
        "judge": partial(_judge, house),
        "warn": partial(_warn, house),
        "remind": partial(_remind, house),
        "tell": partial(_tell, channels(house)),
        "listen": partial(_listen, house),
        "match": partial(_match, house),
        "forget": partial(_forget, house),
        "publish": partial(_publish, house),
        "end": partial(_end, house),
        "prove": partial(prove_domains, house),
        **upkeep_handlers(house),
    }


def _start(house: "House", session: Session, job: Job) -> None:
    start(
        session,
        args=job.args,
        key=job.unique_key,
        copies_per_minute=house.settings.sending.copies_per_minute,
        now=house.clock.now(),
        rng=house.rng,
    )


def _send(house: "House", session: Session, job: Job) -> None:
    send(
        session,
        test_id=job.args["test"],
        provider=job.args["provider"],
        attempt=job.attempt,
        outside=Outside(house.edges.transport_of, _compose),
        clock=house.clock,
    )


def _compose(
    campaign: Campaign,
    recipient: str,
    message_id: str,
    token: str,
    mail_from: str,
    date: datetime,
) -> Letter:
    return compose(
        campaign,
        recipient=recipient,
        message_id=message_id,
        token=token,
        mail_from=mail_from,
        date=date,
    )


def _look(house: "House", session: Session, job: Job) -> None:
    rules = ReadingRules(
        missing_after=timedelta(hours=house.settings.reading.missing_after_hours),
        read_facts=partial(_facts, house),
        rewriting_providers=frozenset(p for p, f in house.facts.items() if f.link_hosts),
    )
    read(
        session,
        seed_id=job.args["seed"],
        open_mailbox=house.mailboxes.get,
        rules=rules,
        clock=house.clock,
    )


def _facts(house: "House", headers: bytes, provider: str) -> Mapping[str, object]:
    known = house.facts.get(provider)
    return facts(headers, provider, known.authserv_ids if known else ())


def _check(house: "House", session: Session, job: Job) -> None:
    known = house.facts.get(job.args["provider"])
    check(
        session,
        args=job.args,
        edges=LinkEdges(
            open_mailbox=house.mailboxes.get,
            read_links=partial(links, limit=LINKS_READ),
            checker=house.edges.checker,
        ),
        link_hosts=known.link_hosts if known else (),
        clock=house.clock,
    )


def _observe(house: "House", session: Session, job: Job) -> None:
    observe(session, test_id=job.args["test"], look=job.args["look"], now=house.clock.now())


def _pass_time(house: "House", session: Session, job: Job) -> None:
    del job
    pass_time(session, now=house.clock.now())


def _digest(house: "House", session: Session, job: Job) -> None:
    del job
    domain = house.settings.alerts.from_address.rpartition("@")[2]
    digest(session, domain=domain, now=house.clock.now())


def _judge(house: "House", session: Session, job: Job) -> None:
    del job  # one job stands for all observations that wait
    judge(session, house.bench, house.clock)


def _warn(house: "House", session: Session, job: Job) -> None:
    owed = warn(
        session,
        event_id=job.args["event"],
        alert_domain=alert_domain(house),
        clock=house.clock,
        must_prove=house.settings.alerts.prove_domains,
    )
    plan(session, owed)


def _remind(house: "House", session: Session, job: Job) -> None:
    del job
    remind(session, alert_domain=alert_domain(house), clock=house.clock)


def _tell(ours: Channels, session: Session, job: Job) -> None:
    tell(session, alert_id=job.args["alert"], channels=ours)


def channels(house: "House") -> Channels:
    """Return what alerts are delivered with, by workers and by a command that delivers now."""
    return Channels(
        alerters=house.edges.alerters,
        writers=writers(house),
        clock=house.clock,
        rng=house.rng,
        domain=alert_domain(house),
        secrets=partial(told_with, vault=house.vault),
    )


def alert_domain(house: "House") -> str:
    """Return the domain of our Message-IDs."""
    return house.settings.alerts.from_address.rpartition("@")[2]


def _listen(house: "House", session: Session, job: Job) -> None:
    del job
    listen(session, house.edges.feeds, house.clock)


def _match(house: "House", session: Session, job: Job) -> None:
    del job
    match(session, now=house.clock.now())


def _publish(house: "House", session: Session, job: Job) -> None:
    del job
    names = {provider: known.name for provider, known in house.facts.items()}
    publish(session, names, now=house.clock.now())


def _end(house: "House", session: Session, job: Job) -> None:
    end(session, test_id=job.args["test"], now=house.clock.now())


def _forget(house: "House", session: Session, job: Job) -> None:
    del job
    forget(
        session,
        now=house.clock.now(),
        keep_headers_for=timedelta(days=house.settings.retention.headers_days),
    )
