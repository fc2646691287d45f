"""The first page: is my mail arriving, where not, whose fault, what to do."""

from collections import defaultdict
from datetime import datetime, timedelta

from flask import Blueprint, render_template, request
from sqlmodel import Session

from monitor.core.incidents import Cause, Incident, State
from monitor.store import pages as counted
from monitor.store.pages_incidents import alerts, relevant, sender_names
from monitor.store.pages_seeds import seed_health
from monitor.store.troubles import known
from monitor.web.outbox import told
from monitor.web.parts import parts
from monitor.web.series import SPAN, axis
from monitor.web.shares import (
    WINDOWS,
    Frame,
    ProviderView,
    choose_window,
    provider_view,
    worst_first,
)
from monitor.web.verdict import is_just_over, is_minor, quiet_verdict, urgent_first

pages = Blueprint("overview", __name__)

_RECENT = timedelta(days=14)
_SHOWN = 6
_ALERTS = 60
_CERTAIN = frozenset({State.CONFIRMED, State.RECOVERING})


@pages.get("/")
def overview() -> str:
    """Show the verdict, each provider, and what happened last."""
    now = parts().clock.now()
    with parts().session() as session:
        incidents = relevant(session, since=now - _RECENT)
        window, frame, views = _providers(session, now, incidents)
        tests = counted.newest_tests(session, limit=_SHOWN)
        seeds = seed_health(session, since=now - SPAN)
        sent = alerts(session, limit=_ALERTS)
        troubled = _troubled_senders(session, incidents)
        troubles = known(session, now=now)
    is_open = [i for i in incidents if i.is_open]
    just_over = [i for i in incidents if is_just_over(i, now)]
    return render_template(
        "web/overview.html",
        open_incidents=[i for i in urgent_first(is_open) if not is_minor(i)],
        minor_incidents=[i for i in urgent_first(is_open) if is_minor(i)],
        just_over=just_over,
        closed_incidents=[i for i in incidents if not i.is_open and i not in just_over][:_SHOWN],
        quiet=quiet_verdict(views, len(tests), now),
        views=views,
        troubled=troubled,
        axis=frame.axis,
        window=window,
        windows=WINDOWS,
        tests=tests,
        alerts=told(sent)[:_SHOWN],
        seeds=seeds,
        troubles=troubles,
    )


def _troubled_senders(session: Session, incidents: list[Incident]) -> list[str]:
    """The names of the senders whose own trouble lowers the shares of every provider."""
    keys = [
        i.latest.sender
        for i in incidents
        if i.state in _CERTAIN and i.latest.gauge is None
        if i.latest.cause is Cause.SENDER and i.latest.sender
    ]
    names = sender_names(session, keys)
    return [names[key].name if key in names else key for key in keys]


def _providers(
    session: Session, now: datetime, incidents: list[Incident]
) -> tuple[str, Frame, list[ProviderView]]:
    """Return the name of the window, the frame that it sets, and the providers' lines."""
    asked = request.args.get("window", "")
    reach = max(SPAN, WINDOWS.get(asked, SPAN))
    clusters = counted.clusters(session, since=now - reach, until=now)
    window = asked if asked in WINDOWS else choose_window(clusters, now)
    if WINDOWS[window] > reach:
        clusters = counted.clusters(session, since=now - WINDOWS[window], until=now)
    frame = Frame(now=now, since=now - WINDOWS[window], axis=axis(clusters, now))
    by_provider = defaultdict(list)
    for cluster in clusters:
        by_provider[cluster.provider].append(cluster)
    views = [
        provider_view(
            provider,
            parts().provider_name(provider),
            by_provider[provider],
            frame=frame,
            incidents=incidents,
        )
        for provider in counted.seeded_providers(session) | set(by_provider)
    ]
    return window, frame, worst_first(views)
