"""Read every template before anything is sent: one that names what is not there fails at start."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path

from jinja2 import Environment, TemplateError, TemplateSyntaxError, meta, nodes

from monitor.alerts.digest import DigestView
from monitor.alerts.letters import LetterView
from monitor.alerts.message import SAID
from monitor.alerts.view import View
from monitor.core.errors import BadInputError
from monitor.core.providers import nearest
from monitor.rendering import data_dir, environment

# What templates of mail are given; `view` differs by folder, and mail/*.txt are told of incidents.
_GIVEN = frozenset({"view", "say", "advice", "severity", "title"})
_VIEWS: Mapping[str, type] = {
    "mail": View,
    "mail/incident": View,
    "mail/recovered": View,
    "mail/digest": DigestView,
    "mail/confirm": LetterView,
    "mail/trial": LetterView,
}
_SUFFIXES = (".txt", ".html")


@cache
def check_templates(own: Path | None = None) -> None:
    """Read all templates: ours, and those of the operator's *own* folder.

    What can be told without filling them is checked: names, what of `view` and `say` is
    asked for, and macros of other files.

    Raises:
        BadInputError: names the file, the line and what stands there.
    """
    if own is not None and not own.is_dir():
        remedy = "Name a folder, or leave it out."
        raise BadInputError("data.templates_dir", str(own), "is not a folder", remedy=remedy)
    templates = environment(own)
    ours = environment()
    for name in templates.list_templates():
        is_page_of_ours = name.startswith("web/") and not (own and (own / name).is_file())
        if name.startswith(("mail/", "web/")) and not is_page_of_ours and name.endswith(_SUFFIXES):
            _check(name, templates, ours)


def _check(name: str, templates: Environment, ours: Environment) -> None:
    tree, file = _parsed(name, templates)
    if name.startswith("web/"):
        return  # pages have filters of their own, and are given what each of them needs
    known = _GIVEN | _given_to(name, ours) | _named_in(tree) | set(templates.globals)
    for asked in sorted(_undeclared(tree, file) - known):
        line = next(n.lineno for n in tree.find_all(nodes.Name) if n.name == asked)
        raise _unknown(file, line, asked, known)
    modules = dict(_modules(tree, templates))
    folder = name.rpartition("/")[0]
    for node in tree.find_all(nodes.Getattr):
        if isinstance(node.node, nodes.Name):
            has = modules.get(node.node.name) or _has(node.node.name, folder)
            if has and node.attr not in has:
                raise _unknown(file, node.lineno, f"{node.node.name}.{node.attr}", has)


def _parsed(name: str, templates: Environment) -> tuple[nodes.Template, str]:
    try:
        source, file, _ = templates.loader.get_source(templates, name)  # type: ignore[union-attr]
        return templates.parse(source, name, file), file or name
    except TemplateSyntaxError as error:
        raise _no_template(error.filename or name, error) from error
    except (TemplateError, UnicodeDecodeError) as error:
        raise BadInputError(name, str(error), "cannot be read", remedy="Mend it.") from error


def _undeclared(tree: nodes.Template, file: str) -> set[str]:
    try:
        return set(meta.find_undeclared_variables(tree))
    except TemplateSyntaxError as error:  # a filter or test that there is not
        raise _no_template(file, error) from error


def _given_to(name: str, ours: Environment) -> set[str]:
    """What else our own template of this name is given, where no view is known by heart."""
    if name.rpartition("/")[0] in _VIEWS or not (data_dir("templates") / name).is_file():
        return set()
    return _undeclared(*_parsed(name, ours))


def _named_in(tree: nodes.Template) -> set[str]:
    """What the file defines for itself; blocks see it too."""
    named = {n.target for n in tree.find_all(nodes.Import)}
    for found in tree.find_all(nodes.FromImport):
        named |= {one if isinstance(one, str) else one[1] for one in found.names}
    return named | _exported(tree)


def _exported(tree: nodes.Template) -> set[str]:
    macros = {n.name for n in tree.find_all(nodes.Macro)}
    return macros | {
        n.target.name for n in tree.find_all(nodes.Assign) if isinstance(n.target, nodes.Name)
    }


def _modules(tree: nodes.Template, templates: Environment) -> Iterator[tuple[str, set[str]]]:
    """What each file that is imported offers."""
    for found in tree.find_all(nodes.Import):
        if isinstance(found.template, nodes.Const):
            yield found.target, _exported(_parsed(str(found.template.value), templates)[0])


def _has(name: str, folder: str) -> set[str]:
    """What `view` and `say` have in a folder; empty if that is not known."""
    if name == "say":
        return set(SAID.get(folder.removeprefix("mail/"), ()))
    view = _VIEWS.get(folder) if name == "view" else None
    return {one.name for one in fields(view)} if view else set()


def _no_template(file: str, error: TemplateSyntaxError) -> BadInputError:
    where = f"{file}, line {error.lineno}"
    return BadInputError(where, error.message or "", "cannot stand there", remedy="Mend that line.")


def _unknown(file: str, line: int, name: str, known: set[str] | frozenset[str]) -> BadInputError:
    guess = nearest(name.rpartition(".")[2], known)
    return BadInputError(f"{file}, line {line}", name, "is not known there", remedy=guess)
