"""Dovecot behind Postfix: takes mail by LMTP, sorts it by Sieve, shows it by IMAP."""

import os
import pwd
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.processes import free_port, program, running

PASSWORD = "pw"
FULL = "full"  # the user whose mailbox takes nothing more
GONE = "gone"  # the user whom Postfix knows and Dovecot does not

CONFIG = """
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/dovecot.log
{owner}
protocols = imap lmtp
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
first_valid_uid = 1
mail_location = maildir:{dir}/mail/%n
mail_home = {dir}/mail/%n
mail_uid = {uid}
mail_gid = {gid}
auth_username_format = %n
mail_plugins = quota
passdb {{
  driver = passwd-file
  args = scheme=PLAIN {dir}/users
}}
userdb {{
  driver = passwd-file
  args = {dir}/users
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Junk {{
    auto = create
    special_use = \\Junk
  }}
}}
plugin {{
  quota = count:User
  quota_vsizes = yes
  sieve_before = {dir}/sieve/spam.sieve
}}
protocol lmtp {{
  mail_plugins = $mail_plugins sieve
  postmaster_address = postmaster@corporate.example
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    address = 127.0.0.1
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service anvil {{
  chroot =
}}
service lmtp {{
  {lmtp_user}
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
"""
SIEVE = """require ["fileinto"];
if header :contains "X-Spam" "Yes" { fileinto "Junk"; }
"""


@dataclass(frozen=True, slots=True)
class Delivery:
    imap: int  # port
    lmtp: int


@contextmanager
def delivery(folder: Path, *, users: Sequence[str]) -> Iterator[Delivery]:
    """Run Dovecot 2.3 with a mailbox for each of *users* (local parts), and FULL."""
    dovecot = program("dovecot", "dovecot-imapd")
    ports = Delivery(free_port(), free_port())
    is_root = os.getuid() == 0
    me = pwd.getpwnam("nobody") if is_root else pwd.getpwuid(os.getuid())
    for name in ("run", "state", "mail", "sieve"):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o755)
    os.chown(folder / "mail", me.pw_uid, me.pw_gid)
    (folder / "sieve" / "spam.sieve").write_text(SIEVE)
    sievec = program("sievec", "dovecot-sieve")
    keys = () if is_root else ("default_internal_user", "default_login_user")
    values = {"dir": folder, "uid": me.pw_uid, "gid": me.pw_gid, "imap": ports.imap}
    values |= {"owner": "\n".join(f"{key} = {me.pw_name}" for key in keys), "lmtp": ports.lmtp}
    values |= {"lmtp_user": "" if is_root else f"user = {me.pw_name}"}
    config = folder / "dovecot.conf"
    config.write_text(CONFIG.format(**values))
    lines = [f"{user}:{PASSWORD}::::::\n" for user in users]
    lines.append(f"{FULL}:{PASSWORD}::::::userdb_quota_rule=*:bytes=10\n")
    (folder / "users").write_text("".join(lines))
    compile_ = [sievec, "-c", str(config), str(folder / "sieve" / "spam.sieve")]
    subprocess.run(compile_, check=True, timeout=30, capture_output=True)
    command = [dovecot, "-F", "-c", str(config)]
    with running(command, port=ports.lmtp, log=folder / "dovecot.out", greeting=b"220"):
        yield ports
