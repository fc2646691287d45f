"""Dovecot of our own, with the mailboxes of whoever signs in. Everybody's password is pw."""

import grp
import os
import pwd
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from monitor.core.seeds import Endpoint, Security
from tests.servers.processes import free_port, program, running

# Nobody asks for statistics, and amid a stop a sign-in would wait 5 s for who counts them.
CONFIG = """
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/dovecot.log
{users}
protocols = imap
listen = 127.0.0.1
ssl = no
stats_writer_socket_path =
disable_plaintext_auth = no
auth_mechanisms = plain {mechanisms}
auth_failure_delay = 0
first_valid_uid = 1
mail_location = maildir:{dir}/mail/%n
mail_home = {dir}/mail/%n
mail_uid = {uid}
mail_gid = {gid}
{tokens}
passdb {{
  driver = static
  args = password=pw
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={dir}/mail/%n allow_all_users=yes
}}
namespace inbox {{
  inbox = yes
  separator = {separator}
  prefix = {prefix}
{folders}
}}
{shared}
service imap-login {{
  chroot =
  inet_listener imap {{
    address = 127.0.0.1
    port = {port}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
{more}
"""
FOLDER = """
  mailbox {name} {{
    auto = create
    {use}
  }}
"""
SHARED = """
namespace shared {{
  type = shared
  separator = {separator}
  prefix = shared{separator}%%u{separator}
  location = maildir:{dir}/mail/%%n
  list = yes
  subscriptions = no
}}
namespace public {{
  type = public
  separator = {separator}
  prefix = public{separator}
  location = maildir:{dir}/mail/public
  list = yes
  subscriptions = no
}}
"""
TOKENS = """
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {dir}/oauth2.conf
}}
"""
INTROSPECTION = """
introspection_url = {url}/introspect?token=
introspection_mode = get
username_attribute = username
active_attribute = active
active_value = true
timeout_msecs = 5000
"""
# Without root, Dovecot cannot switch users: all its parts run as the one who started it.
USERS = """
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
"""
STANDARD: Mapping[str, str] = {
    "Drafts": "\\Drafts",
    "Junk": "\\Junk",
    "Quarantine": "",
    "Sent": "\\Sent",
    "Trash": "\\Trash",
}


# What a configuration says where nobody wants it otherwise. `more` stands last, and so decides.
USUAL: Mapping[str, str] = dict.fromkeys(
    ("prefix", "folders", "shared", "mechanisms", "tokens", "more"), ""
) | {"separator": "/"}


class Dovecot:
    """A server that can be stopped, killed and started again on the same port.

    Args:
        folder: for all that it writes; its users' mail is in `mail/USER`, as Maildir has it.
        values: of CONFIG's fields, where they are not as USUAL.
    """

    def __init__(self, folder: Path, values: Mapping[str, str]) -> None:
        self.program = program("dovecot", "dovecot-imapd")
        version = subprocess.run([self.program, "--version"], check=True, capture_output=True)
        assert version.stdout.startswith(b"2.3."), f"needs Dovecot 2.3, found {version.stdout!r}"
        self.port = free_port()
        self.endpoint = Endpoint("127.0.0.1", self.port, Security.PLAIN)
        self.folder = folder
        self._config = folder / "dovecot.conf"
        self._running = ExitStack()
        is_root = os.getuid() == 0
        owner = self._owner = pwd.getpwnam("nobody") if is_root else pwd.getpwuid(os.getuid())
        group = grp.getgrgid(owner.pw_gid).gr_name
        users = "" if is_root else USERS.format(user=owner.pw_name, group=group)
        folder.chmod(0o755)
        for name in ("run", "state", "mail"):
            (folder / name).mkdir()
        self.own_mail()
        known = {"dir": folder, "port": self.port, "uid": owner.pw_uid, "gid": owner.pw_gid}
        self._config.write_text(CONFIG.format(users=users, **known, **{**USUAL, **values}), "utf-8")

    def own_mail(self) -> None:
        """Give what was put into `mail` to the user that Dovecot switches to."""
        mail = self.folder / "mail"
        for path in (mail, *mail.rglob("*")):
            os.chown(path, self._owner.pw_uid, self._owner.pw_gid)

    def start(self) -> None:
        # A part that was killed, by us or at the end of a stop, leaves its locks behind. Nobody
        # lives now who holds one, but Dovecot would wait two minutes for it.
        for lock in (self.folder / "mail").rglob("*.lock"):
            lock.unlink(missing_ok=True)
        command = [self.program, "-F", "-c", str(self._config)]
        log = self.folder / "dovecot.out"
        self._running.enter_context(running(command, port=self.port, log=log, greeting=b"* OK"))

    def stop(self) -> None:
        self._running.close()

    def kill(self) -> None:
        """End it and all its parts at once, as a power failure would."""
        master = int((self.folder / "run" / "master.pid").read_text("ascii"))
        with suppress(ProcessLookupError):
            os.killpg(master, signal.SIGKILL)
        self._running.close()

    def doveadm(self, *words: str) -> None:
        """Do what an administrator, or a filter after delivery, does: "move", "expunge", ..."""
        command = [program("doveadm", "dovecot-core"), "-c", str(self._config), *words]
        subprocess.run(command, check=True, timeout=30, capture_output=True)

    def deliver(self, user: str, message: bytes, *, folder: str = "INBOX") -> None:
        command = [program("doveadm", "dovecot-core"), "-c", str(self._config)]
        command += ["save", "-u", user, "-m", folder]
        subprocess.run(command, input=message, check=True, timeout=30, capture_output=True)


def folders_of(folders: Mapping[str, str]) -> str:
    """Return the configuration of *folders*, with what SPECIAL-USE tells of each, or ""."""
    uses = {n: f"special_use = {use}" if use else "" for n, use in folders.items()}
    return "".join(FOLDER.format(name=f'"{n}"', use=use) for n, use in uses.items())


@contextmanager
def dovecot(
    folders: Mapping[str, str] = STANDARD,
    *,
    separator: str = "/",
    prefix: str = "",
    is_shared: bool = False,
    tokens_at: str = "",
) -> Iterator[Dovecot]:
    """Run Dovecot 2.3.

    Args:
        folders: that every mailbox has, with what SPECIAL-USE tells of each, or "".
        prefix: of all folders but the inbox.
        is_shared: there are other people's and public folders too.
        tokens_at: URL of a server that knows access tokens (RFC 7662, by GET).
    """
    # Not in pytest's tmp_path: its parents are closed to the user that Dovecot switches to,
    # and a socket's path must stay below 108 bytes.
    with tempfile.TemporaryDirectory(prefix="dovecot-") as name:
        shared = SHARED.format(separator=separator, dir=name) if is_shared else ""
        if tokens_at:
            Path(name, "oauth2.conf").write_text(INTROSPECTION.format(url=tokens_at))
        values = {
            "separator": separator,
            "prefix": prefix,
            "folders": folders_of(folders),
            "shared": shared,
        }
        values |= {"mechanisms": "xoauth2 oauthbearer" if tokens_at else ""}
        values |= {"tokens": TOKENS.format(dir=name) if tokens_at else ""}
        server = Dovecot(Path(name), values)
        server.start()
        try:
            yield server
        finally:
            server.stop()
