"""Postfix of our own: its queue in a folder, on the loopback, unable to reach anybody else."""

import os
import pwd
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.processes import free_port, program, running

DOMAIN = "corporate.example"
GREY = f"grey@{DOMAIN}"
GREYLISTED = "450 4.2.0 Greylisted, please try again in 300 seconds"

MAIN = """
compatibility_level = 3.6
queue_directory = {dir}/spool
data_directory = {dir}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {dir}/log/postfix.log
maillog_file_prefixes = {dir}
myhostname = mx.{domain}
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks =
virtual_mailbox_domains = {domain}
virtual_mailbox_maps = texthash:{dir}/etc/users
virtual_transport = lmtp:inet:127.0.0.1:{lmtp}
default_transport = error:nothing leaves this machine
relay_transport = error:nothing leaves this machine
local_transport = error:nobody lives here
alias_maps =
alias_database =
disable_dns_lookups = yes
smtpd_peername_lookup = no
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = check_recipient_access texthash:{dir}/etc/access
smtpd_client_connection_count_limit = 0
message_size_limit = 1000000
in_flow_delay = 0s
smtpd_milters = inet:127.0.0.1:{milter}
milter_default_action = tempfail
milter_command_timeout = 30s
"""
MASTER = """
127.0.0.1:{filtered} inet n - n - - smtpd
127.0.0.1:{unfiltered} inet n - n - - smtpd -o smtpd_milters=
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True, slots=True)
class Postfix:
    """Two doors into one Postfix."""

    filtered: int  # port; mail goes through the milter
    unfiltered: int


@contextmanager
def postfix(folder: Path, *, users: Sequence[str], lmtp: int, milter: int) -> Iterator[Postfix]:
    """Run Postfix, which takes mail for *users* (local parts) and delivers it by LMTP."""
    master = program("master", "postfix")
    assert os.getuid() == 0, "Postfix runs only as root: run these tests as root (see CONTRIBUTING)"
    doors = Postfix(free_port(), free_port())
    for name in ("etc", "spool", "data", "log"):
        (folder / name).mkdir(parents=True)
    owner = pwd.getpwnam("postfix")
    os.chown(folder / "data", owner.pw_uid, owner.pw_gid)
    etc = folder / "etc"
    (etc / "main.cf").write_text(MAIN.format(dir=folder, domain=DOMAIN, lmtp=lmtp, milter=milter))
    ports = {"filtered": doors.filtered, "unfiltered": doors.unfiltered}
    (etc / "master.cf").write_text(MASTER.format(**ports))
    (etc / "users").write_text("".join(f"{user}@{DOMAIN} {user}\n" for user in (*users, "grey")))
    (etc / "access").write_text(f"{GREY} {GREYLISTED}\n")
    tool = program("postfix", "postfix")
    subprocess.run([tool, "-c", str(etc), "check"], check=True, timeout=30, capture_output=True)
    command = [master, "-c", str(etc), "-d"]
    log = folder / "log" / "postfix.out"
    with running(command, port=doors.filtered, log=log, greeting=b"220"):
        yield doors
