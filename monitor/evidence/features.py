"""What a campaign can be blamed for, as the judge's "kind:value" words."""

import itertools
import re

from monitor.core.campaigns import Campaign
from monitor.evidence import links

MAX_URL_FEATURES = 50
MAX_VALUE = 253

_SEPARATOR = re.compile(r"[\s,;]+")


def features(
    campaign: Campaign,
    *,
    dkim_domain: str = "",
    tracking_domain: str = "",
    ip_prefix: str = "",
    esp: str = "",
    attach_types: str = "",
) -> frozenset[str]:
    """Return the features of *campaign* and of what it is sent through. Never raises.

    `url:` names the host of a link, without `www.`. A sender's own host is named too:
    the judge weighs a feature by how many senders share it. Hosts stay whole, because
    filters list hosts, and because customers of one shortener or ESP differ by label.

    Args:
        attach_types: file types of the attachments, separated by blanks or commas.
    """
    urls = itertools.chain(links.in_html(campaign.html), links.in_text(campaign.text))
    hosts = {name for url in urls if (name := links.host(url))}
    found = {f"url:{name}" for name in sorted(hosts)[:MAX_URL_FEATURES]}
    singles = {"track": tracking_domain, "dkim": dkim_domain, "ip": ip_prefix, "esp": esp}
    found |= {f"{kind}:{_value(text)}" for kind, text in singles.items() if _value(text)}
    found |= {f"attach:{_value(kind)}" for kind in _SEPARATOR.split(attach_types) if kind}
    return frozenset(found)


def _value(text: str) -> str:
    return text.strip().rstrip(".").lower()[:MAX_VALUE]
