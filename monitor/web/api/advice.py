"""Hold advice: what a mail server should do with which mail, now."""

from flask import Response, request

from monitor.core.advice import all_advice
from monitor.core.scopes import Scope
from monitor.store import own_incidents
from monitor.store.pages_incidents import relevant
from monitor.web.api.answers import answer, bad
from monitor.web.api.door import MOST_OPEN, api, holder, needs
from monitor.web.parts import parts


@api.get("/hold-advice")
@needs(Scope.ADVICE_READ)
def hold_advice() -> Response:
    """Return the advice of all open incidents that could concern the caller's mail.

    The same advice has the same ETag, so that asking every minute costs little.
    """
    provider = request.args.get("provider", "")
    if provider and provider not in parts().facts:
        raise bad("unknown_provider", f"There is no provider {provider[:64]!r}.")
    now = parts().clock.now()
    with parts().session() as session:
        mine = own_incidents.own(session, holder().organisation_id, now=now)
        seen = own_incidents.seen(relevant(session, since=now, limit=MOST_OPEN), mine)
    found = all_advice(seen, parts().facts, now)
    wanted = [one for one in found if provider in {"", one.provider}]
    return answer({"advice": [one.as_json() for one in wanted]})
