"""A Dovecot of our own."""

import grp
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

CONFIG = """
base_dir = {dir}/run
state_dir = {dir}/state
log_path = {dir}/dovecot.log
{users}
protocols = imap
listen = 127.0.0.1
ssl = no
disable_plaintext_auth = no
auth_mechanisms = plain
first_valid_uid = 1
mail_location = maildir:{dir}/mail/%n
mail_home = {dir}/mail/%n
mail_uid = {uid}
mail_gid = {gid}
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
  separator = /
  mailbox Drafts {{
    auto = create
    special_use = \\Drafts
  }}
  mailbox Junk {{
    auto = create
    special_use = \\Junk
  }}
  mailbox Quarantine {{
    auto = create
  }}
  mailbox Sent {{
    auto = create
    special_use = \\Sent
  }}
  mailbox Trash {{
    auto = create
    special_use = \\Trash
  }}
}}
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
}}
"""
# Without root, Dovecot cannot switch users: all its parts run as the one who started it.
USERS = """
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
"""


@pytest.fixture
def dovecot_port() -> Iterator[int]:
    """The IMAP port of a Dovecot that lives as long as the test; everybody's password is pw."""
    program = shutil.which("dovecot", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    assert program, "Dovecot is missing: install dovecot-imapd (version 2.3)"
    version = subprocess.run([program, "--version"], check=True, capture_output=True, text=True)
    assert version.stdout.startswith("2.3."), f"needs Dovecot 2.3, found {version.stdout.strip()}"
    # Not in tmp_path: its parents are closed to the user that Dovecot switches to, and a
    # socket's path must stay below 108 bytes.
    with tempfile.TemporaryDirectory(prefix="dovecot-") as name:
        folder = Path(name)
        config = _write_config(folder, port := _free_port())
        subprocess.run([program, "-c", config], check=True)  # returns once it listens
        try:
            yield port
        finally:
            subprocess.run([program, "-c", config, "stop"], check=True)


def _write_config(folder: Path, port: int) -> Path:
    is_root = os.getuid() == 0
    owner = pwd.getpwnam("nobody") if is_root else pwd.getpwuid(os.getuid())
    group = grp.getgrgid(owner.pw_gid).gr_name
    users = "" if is_root else USERS.format(user=owner.pw_name, group=group)
    folder.chmod(0o755)
    for name in ("run", "state", "mail"):
        (folder / name).mkdir()
    os.chown(folder / "mail", owner.pw_uid, owner.pw_gid)
    config = folder / "dovecot.conf"
    text = CONFIG.format(dir=folder, users=users, uid=owner.pw_uid, gid=owner.pw_gid, port=port)
    config.write_text(text)
    return config


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
