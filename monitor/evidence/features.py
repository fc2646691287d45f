"""What a campaign can be blamed for, as the judge's "kind:value" words."""

import itertools
from collections.abc import Iterable

from monitor.core.campaigns import Campaign
from monitor.evidence import links

MAX_URL_FEATURES = 50
MAX_VALUE = 253


def features(  # noqa: PLR0913 - a message is sent through just these
    campaign: Campaign,
    *,
    mail_from: str = "",
    dkim_domain: str = "",
    tracking_domain: str = "",
    ip_prefix: str = "",
    esp: str = "",
    attach_types: Iterable[str] = (),
) -> frozenset[str]:
    """Return the features of *campaign* and of what it is sent through. Never raises.

    `url:` names the host of a link, without `www.`. A sender's own host is named too:
    the judge weighs a feature by how many senders share it. Hosts stay whole, because
    filters list hosts, and because customers of one shortener or ESP differ by label.

    Args:
        mail_from: envelope sender. Where no ESP is named, a return path outside of the
            From domain tells it: its customers share it.
        ip_prefix: of the sending addresses, as in 192.0.2.0/24.
        attach_types: file types of the attachments, as in "pdf".
    """
    urls = itertools.chain(links.in_html(campaign.html), links.in_text(campaign.text))
    hosts = dict.fromkeys(name for url in urls if (name := links.host(url)))
    found = {f"url:{name}" for name in itertools.islice(hosts, MAX_URL_FEATURES)}
    named = [("track", tracking_domain), ("dkim", dkim_domain), ("ip", ip_prefix)]
    named.append(("esp", esp or _foreign_return_path(campaign, mail_from)))
    named += [("attach", kind) for kind in attach_types]
    found |= {f"{kind}:{_value(text)}" for kind, text in named if _value(text)}
    return frozenset(found)


def _foreign_return_path(campaign: Campaign, mail_from: str) -> str:
    own = _value(campaign.from_address.rpartition("@")[2])
    domain = _value(mail_from.rpartition("@")[2])
    related = domain == own or domain.endswith(f".{own}") or own.endswith(f".{domain}")
    return "" if related else domain


def _value(text: str) -> str:
    return text.strip().rstrip(".").lower()[:MAX_VALUE]
