"""The page behind a rewritten link: on to the target, or a verdict in its place."""

from html import escape
from urllib.parse import urlsplit

from monitor.lab.httpd import Request, Response
from monitor.lab.links import PATH
from monitor.lab.providers import PROFILES
from monitor.lab.rules import Action, is_below
from monitor.lab.world import World

BLOCKED = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>This website is blocked</title></head>
<body><h1>This website has been classified as malicious.</h1>
<p>Opening this website might not be safe. Verdict: <strong id="verdict">blocked</strong>.</p>
<p>Link: <code>{link}</code></p></body></html>
"""


def answer(world: World, request: Request) -> Response | None:
    """Answer a click on a rewritten link; None if the path is another. Under `World.lock`."""
    if request.path != PATH:
        return None
    if request.method not in {"GET", "HEAD"}:
        return Response(405, headers={"Allow": "GET, HEAD"})
    link = request.query.get("url", "")
    host = host_of(link)
    if not host or not link.isprintable():
        return Response.of_html("<!doctype html><title>Not a link</title>", status=400)
    rules = [r for p in PROFILES.values() for r in world.rules(p, Action.BLOCK_LINK)]
    if any(is_below((host,), rule.url_domain) for rule in rules):
        return Response.of_html(BLOCKED.format(link=escape(link)))
    return Response(302, headers={"Location": link.replace(" ", "%20")})


def host_of(link: str) -> str:
    """The host of an http or https link, lower case; "" if it is something else."""
    try:
        parts = urlsplit(link)
        return (parts.hostname or "") if parts.scheme in {"http", "https"} else ""
    except ValueError:
        return ""
