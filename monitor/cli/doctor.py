"""`seedwatch doctor`: everything that could be wrong with this installation."""

import shutil
import stat
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

import click

from monitor.cli.context import TROUBLE, config_option, json_option, print_json, printable
from monitor.cli.doctor_inside import database
from monitor.cli.doctor_outside import alerts_from, mail_servers, queue, tenants, transports
from monitor.cli.findings import Finding, doubtful, fine, looked, wrong
from monitor.core.errors import SeedwatchError
from monitor.rendering import environment
from monitor.settings import Settings, load_settings
from monitor.wiring import load_facts

LOW_DISK = 512 * 1024 * 1024  # bytes


@click.command()
@config_option
@json_option
def doctor(config: Path, as_json: bool) -> None:
    """Look for everything that could be wrong here, each with its remedy.

    Looks at the files, the database and the work in it, and signs in to the mail servers
    and tenants of the configuration; `seedwatch seeds check` does so for the seeds. Sends
    nothing and changes nothing.

    [!!] is wrong, [??] works but may not be what you want. Exit status 1 if anything is
    wrong.
    """
    findings = list(_examine(config))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            click.echo(printable(f"[{finding.mark}] {finding.about}: {finding.says}"))
            if finding.remedy:
                click.echo(printable(f"     {finding.remedy}"))
    if not all(finding.ok for finding in findings):
        raise click.exceptions.Exit(TROUBLE)


def _examine(config: Path) -> Iterator[Finding]:
    try:
        settings = load_settings(config)
    except SeedwatchError as error:
        yield wrong("configuration", error.what, error.remedy or "Run seedwatch init.")
        return
    yield fine("configuration", str(config))
    looks = {
        "secret key": partial(_mode, config),
        "disk": partial(_disk, config),
        "templates": partial(_templates, settings),
        "provider facts": partial(_facts, settings),
        "database": partial(database, settings),
        "queue": partial(queue, settings),
        "mail server": partial(mail_servers, settings),
        "transports": partial(transports, settings),
        "alerts come from": partial(alerts_from, settings),
        "tenants": partial(tenants, settings),
    }
    for about, look in looks.items():
        yield from looked(about, look)


def _mode(config: Path) -> Iterator[Finding]:
    mode = stat.S_IMODE(config.stat().st_mode)
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        yield wrong(
            "secret key",
            f"others on this machine may read {config} (mode {mode:04o})",
            f"Run: chmod 600 {config}",
        )
    else:
        yield fine("secret key", "only you can read it")


def _disk(config: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(config.resolve().parent).free
    says = f"{free / 1024**3:.1f} GB free"
    if free < LOW_DISK:
        yield wrong("disk", says, "Make room: a full disk stops everything.")
    else:
        yield fine("disk", says)


def _templates(settings: Settings) -> Iterator[Finding]:
    names = environment(settings.data.templates_dir).list_templates(extensions=["html", "txt"])
    if names:
        yield fine("templates", f"{len(names)} found")
    else:
        yield wrong(
            "templates", "none were found", "Install Seedwatch again: its data files are missing."
        )


def _facts(settings: Settings) -> Iterator[Finding]:
    folder = settings.data.seedlists_dir
    known = load_facts(folder)
    yield fine("provider facts", f"{len(known)} providers are known")
    if folder is not None and not any((folder / "providers").glob("*.toml")):
        yield doubtful(
            "provider facts of your own",
            f"none are in {folder / 'providers'}",
            "Put one TOML file for each provider there, or leave data.seedlists_dir out.",
        )
