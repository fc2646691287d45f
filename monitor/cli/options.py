"""What `test send` and `test expect` are both told, each option said once."""

from collections.abc import Callable
from typing import TypeVar

import click

from monitor.cli.context import config_option, json_option, one_line

Command = TypeVar("Command", bound=Callable[..., object])

OF_A_TEST = (
    config_option,
    click.option(
        "--list",
        "list_name",
        default="default",
        show_default=True,
        callback=one_line(100),
        help="The seed list.",
    ),
    click.option(
        "--esp",
        default="",
        callback=one_line(100),
        help="Your mail service's name, if you use one.",
    ),
    click.option(
        "--alert-to",
        multiple=True,
        callback=one_line(254),
        help="Who is told of incidents; may be repeated.",
    ),
    click.option(
        "--key",
        default="",
        callback=one_line(200),
        help="Idempotency key: the same key makes one test only.",
    ),
    json_option,
)


def of_a_test(command: Command) -> Command:
    """Give *command* the options of OF_A_TEST, in their order."""
    for option in reversed(OF_A_TEST):
        command = option(command)
    return command
