"""The group that all commands hang on."""

import click

from monitor import __version__
from monitor.cli.advisories import advisories
from monitor.cli.context import Door
from monitor.cli.database import database
from monitor.cli.demo import demo
from monitor.cli.doctor import doctor
from monitor.cli.domains import domains
from monitor.cli.explain import explain
from monitor.cli.exposure import exposure
from monitor.cli.jobs import jobs
from monitor.cli.keys import keys
from monitor.cli.replay import replay
from monitor.cli.route_log import log, replay_alert, try_route
from monitor.cli.routes import routes
from monitor.cli.schedules import schedules
from monitor.cli.seed_authorize import authorize
from monitor.cli.seed_checks import check, health
from monitor.cli.seed_exports import diff, export
from monitor.cli.seeds import seeds
from monitor.cli.serve import init, serve, worker
from monitor.cli.tests import test


@click.group(cls=Door, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="seedwatch")
def main() -> None:
    """Is it me, or is it the mailbox provider?

    Seedwatch sends your campaigns to test mailboxes (seeds), reads where every copy
    landed, keeps looking, and says whose fault a change is.

    New here? `seedwatch demo` shows everything on simulated providers. For your own
    mailboxes: `seedwatch init`, `seedwatch seeds import FILE`, `seedwatch serve`,
    `seedwatch test send`.
    """


COMMANDS = (
    demo,
    init,
    serve,
    worker,
    test,
    seeds,
    routes,
    schedules,
    advisories,
    jobs,
    database,
    domains,
    doctor,
    explain,
    exposure,
    keys,
    replay,
)
for command in COMMANDS:
    main.add_command(command)
for command in (try_route, log, replay_alert):
    routes.add_command(command)
for command in (check, health, authorize, export, diff):
    seeds.add_command(command)
