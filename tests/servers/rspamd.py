"""Rspamd as a milter: Debian's configuration, without network and with two rules of ours."""

import os
import pwd
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.processes import free_port, program, running

SPAM_LINK = "bad-link.example.com"  # Rspamd looks at no link under a suffix that does not exist

# What would ask somebody outside, or keep something in Redis.
OFF = ("asn", "dmarc", "fuzzy_check", "greylist", "history_redis", "neural", "ratelimit")
OFF += ("rbl", "replies", "reputation", "rspamd_update", "url_redirector", "mx_check", "bimi")

OPTIONS = """
dns {{ nameserver = ["127.0.0.1:{dns}"]; timeout = 0.2s; retransmits = 1; }}
local_addrs = "";           # a test's mail comes from this machine and is foreign all the same
disable_hyperscan = true;
url_tld = "$LOCAL_CONFDIR/suffixes";  # compiling all of the web's takes it 20 seconds
pidfile = "{dir}/rspamd.pid";
"""
SYMBOLS = """
SEEDWATCH_BAD_LINK { type = "url"; map = "$LOCAL_CONFDIR/links.map"; score = 9.0; }
"""
HEADERS = """
use = ["x-spamd-result", "x-spam-status", "x-rspamd-queue-id"];
skip_local = false;
skip_authenticated = false;
"""
PROXY = """
bind_socket = "127.0.0.1:{port}";
milter = yes;
timeout = 20s;
count = 1;
upstream "local" {{ default = yes; self_scan = yes; }}
"""


@contextmanager
def rspamd(folder: Path) -> Iterator[int]:
    """Run Rspamd; give the port where it speaks the milter protocol. Needs no root."""
    binary = program("rspamd", "rspamd")
    port = free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))  # a name server that answers nothing
        _configure(folder, port, silent.getsockname()[1])
        command = [binary, "-f", "-c", "/etc/rspamd/rspamd.conf"]
        if os.getuid() == 0:
            command += ["-u", "_rspamd", "-g", "_rspamd"]
        places = {"LOCAL_CONFDIR": "", "DBDIR": "/db", "RUNDIR": "/run", "LOGDIR": "/log"}
        command += [f"--var={name}={folder}{sub}" for name, sub in places.items()]
        with running(command, port=port, log=folder / "rspamd.out"):
            yield port


def _configure(folder: Path, port: int, dns: int) -> None:
    local = folder / "local.d"
    for path in (local, folder / "override.d", folder / "db", folder / "run", folder / "log"):
        path.mkdir(parents=True)
    for module in OFF:
        (local / f"{module}.conf").write_text("enabled = false;\n")
    (folder / "suffixes").write_text("com\nnet\norg\n")
    (folder / "links.map").write_text(f"{SPAM_LINK}\n")
    (local / "options.inc").write_text(OPTIONS.format(dns=dns, dir=folder))
    (local / "multimap.conf").write_text(SYMBOLS)
    (local / "milter_headers.conf").write_text(HEADERS)
    (local / "logging.inc").write_text(f'type = "file"; filename = "{folder}/log/rspamd.log";\n')
    (local / "worker-proxy.inc").write_text(PROXY.format(port=port))
    (local / "worker-normal.inc").write_text("enabled = false;\n")
    (local / "worker-controller.inc").write_text("enabled = false;\n")
    (local / "worker-fuzzy.inc").write_text("enabled = false;\n")
    if os.getuid() == 0:
        owner = pwd.getpwnam("_rspamd")
        folder.chmod(0o755)
        for path in folder.rglob("*"):
            os.chown(path, owner.pw_uid, owner.pw_gid)
        shutil.chown(folder, "_rspamd", "_rspamd")
