"""Give one notification to Apprise, in a process of its own. (Run by alerts/apprise.py.)

The address is a person's, and Apprise has a hundred ways to understand it. So whatever a plugin
does, this process connects only where webhooks may, reads no file but Python's own, starts
nothing, and has little memory; its parent ends it when its time is over. Not imported elsewhere:
the rules hold for the whole process.
"""

import ipaddress
import json
import logging
import mimetypes
import os
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import apprise

from monitor.guarded import NOT_BARE, NOT_PUBLIC, Network, is_public, is_within

MEMORY: Final = 512 * 1024 * 1024  # bytes; an endless answer ends here
CPU_S: Final = 20
# HTTP, but with keys that lie in files of this machine.
WITH_FILES: Final = frozenset({"fcm", "vapid"})
STARTS: Final = frozenset(
    {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty"}
)
SENDS: Final = frozenset({"socket.sendto", "socket.sendmsg"})
UNKNOWN: Final = "unknown"
LOCAL: Final = "local"


class Rules:
    """What this process may do, as an audit hook: it cannot be taken off again."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = allowed
        self._folders = _folders()
        self.is_bare = False
        self.refused = ""

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if event == "socket.connect":
            self._refuse(self._why_not(args[1]))
        elif event in SENDS:
            self._refuse(NOT_PUBLIC)
        elif event in STARTS:
            self._refuse("it would start a program")
        elif event == "open" and not self._may_open(*args[:3]):
            raise PermissionError("no files")

    def _refuse(self, why: str) -> None:
        if why:
            self.refused = why
            raise PermissionError(why)

    def _why_not(self, address: object) -> str:
        """Why *address*, resolved by now, is not connected to; "" if it is."""
        try:
            peer = str(ipaddress.ip_address(str(address[0]).partition("%")[0]))  # type: ignore[index]
        except (ValueError, TypeError, IndexError):  # a socket in the file system, a name
            return NOT_PUBLIC
        if is_within(peer, self._allowed):
            return ""
        if not is_public(peer):
            return NOT_PUBLIC
        return NOT_BARE if self.is_bare else ""

    def _may_open(self, path: object, mode: object, flags: object) -> bool:
        if not isinstance(path, str | bytes | os.PathLike):
            return True  # a descriptor that is open already
        if isinstance(mode, str) and set(mode) & set("wax+"):
            return False
        if not isinstance(mode, str) and isinstance(flags, int) and flags & os.O_ACCMODE:
            return False
        real = os.path.realpath(os.fsdecode(path))
        return real in mimetypes.knownfiles or real.startswith(self._folders)


def _folders() -> tuple[str, ...]:
    """Where Python and the libraries lie, from which modules are read until the end."""
    modules: list[ModuleType] = [os, apprise]
    known = {sys.prefix, sys.base_prefix, str(Path(__file__).parents[1])}
    known |= {str(Path(str(module.__file__)).parent) for module in modules}
    known.add(str(Path(str(apprise.__file__)).parents[1]))
    return tuple(os.path.realpath(folder) + os.sep for folder in known)


def kind_of(url: str) -> tuple[str, str]:
    """Return an address's schema, and why we do not speak it ("" if we do)."""
    schema = url.partition("://")[0].lower()
    plugin = apprise.Apprise.instantiate(url, asset=_asset())
    if plugin is None:
        return schema, UNKNOWN
    rooms = {part for kind in type(plugin).__mro__ for part in kind.__module__.split(".")}
    is_local = not _speaks_http(type(plugin)) or bool(rooms & WITH_FILES)
    return schema, LOCAL if is_local else ""


def _speaks_http(kind: type) -> bool:
    """Does a plugin, or one that it builds on, ask by `requests`?"""
    own = (one for one in kind.__mro__ if one.__module__.startswith("apprise.plugins."))
    return any("requests" in vars(sys.modules[one.__module__]) for one in own)


def _is_bare(url: str) -> bool:
    """Is *url* the form without TLS of a service that has one with it?"""
    schema = url.partition("://")[0].lower()
    kind: Any = type(apprise.Apprise.instantiate(url, asset=_asset()))
    return bool(kind.secure_protocol) and schema not in _several(kind.secure_protocol)


def _several(schemas: Any) -> Sequence[str]:  # noqa: ANN401 - None, one or several, as plugins have it
    return [schemas] if isinstance(schemas, str) else list(schemas or ())


def _asset() -> apprise.AppriseAsset:
    """No redirects, no files, one thing after the other."""
    return apprise.AppriseAsset(http_redirects=False, storage_mode="memory", async_mode=False)


def answer(asked: dict[str, Any]) -> dict[str, object]:
    """Do what is asked; say the schema, and what became of it."""
    rules = Rules([ipaddress.ip_network(one) for one in asked["allowed"]])
    sys.addaudithook(rules)
    url = asked["url"]
    schema, problem = kind_of(url)
    if problem or "body" not in asked:
        return {"schema": schema, "problem": problem}
    rules.is_bare = _is_bare(url)
    ours = apprise.Apprise(asset=_asset())
    ours.add(url)
    was_taken = ours.notify(
        body=asked["body"], title=asked["title"], notify_type=asked["type"], body_format="text"
    )
    return {"schema": schema, "problem": "", "taken": bool(was_taken), "refused": rules.refused}


def main() -> None:
    """Read what is asked from standard input, as JSON; write the answer, and nothing else."""
    logging.disable(logging.CRITICAL)  # addresses are secrets
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    result = answer(json.load(sys.stdin))
    sys.stdout.write(json.dumps(result))


if __name__ == "__main__":
    main()
