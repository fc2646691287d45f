"""No regular expression of the room takes longer than its input grows.

All compiled patterns are collected from the modules, so that a new one is measured without
being named here. Each meets inputs drawn from itself: a text that it matches, repeated,
the same without its end, and each of its characters in a row. Measuring, and not a rule on
the form of patterns, because the form does not tell that a search which begins anew at each
character is slow; and processor time of this thread, because machines do other things too.
"""

import importlib
import pkgutil
import re
import time
from collections.abc import Iterator
from re import _constants, _parser  # type: ignore[attr-defined]
from typing import Any

import pytest

import monitor.evidence

SHORT, LONG = 1_000, 4_000
TIMES = 9.0  # four times the input: 4 for linear, 16 for quadratic time
FLOOR_S = 0.001


def patterns() -> Iterator[tuple[str, re.Pattern[Any]]]:
    for module in pkgutil.iter_modules(monitor.evidence.__path__, "monitor.evidence."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, re.Pattern):
                yield f"{module.name.rpartition('.')[2]}.{name}", value


def example(tree: Any) -> str:
    """A text that the parsed pattern matches, looking around itself aside."""
    return "".join(_one(operation, argument) for operation, argument in tree)


def _one(operation: Any, argument: Any) -> str:
    if operation is _constants.LITERAL:
        return chr(argument)
    if operation in {_constants.MAX_REPEAT, _constants.MIN_REPEAT}:
        return example(argument[2]) * max(1, argument[0])
    if operation is _constants.SUBPATTERN:
        return example(argument[3])
    if operation is _constants.BRANCH:
        return example(argument[1][0])
    if operation is _constants.IN:
        return _member(argument)
    return "a" if operation in {_constants.ANY, _constants.NOT_LITERAL} else ""


def _member(items: Any) -> str:
    operation, argument = items[0]
    if operation is _constants.LITERAL:
        return chr(argument)
    if operation is _constants.RANGE:
        return chr(argument[0])
    if operation is _constants.CATEGORY:
        space, digit = _constants.CATEGORY_SPACE, _constants.CATEGORY_DIGIT
        return {space: " ", digit: "1"}.get(argument, "a")
    return "~"  # a class of what it must not be


def inputs(pattern: re.Pattern[Any]) -> set[str]:
    text = example(_parser.parse(pattern.pattern, pattern.flags))
    return {text, text[:-1], text[1:], text[::-1], *text, " ", "a", "1."} - {""}


def seconds(pattern: re.Pattern[Any], bit: str, length: int) -> float:
    text: Any = (bit * (length // len(bit) + 1))[:length]
    if isinstance(pattern.pattern, bytes):
        text = text.encode("utf-8", "replace")
    started = time.thread_time()
    for _ in pattern.finditer(text):
        pass
    return time.thread_time() - started


ALL = dict(patterns())


def test_the_patterns_are_found() -> None:
    assert len(ALL) > 30
    assert {"fields._FIELD", "dsn._TYPED", "links._URL"} & ALL.keys()


@pytest.mark.parametrize("name", ALL)
def test_time_grows_with_the_input_and_no_faster(name: str) -> None:
    pattern = ALL[name]
    for bit in inputs(pattern):
        for attempt in range(3):
            short = max(FLOOR_S, seconds(pattern, bit, SHORT))
            long = seconds(pattern, bit, LONG)
            if long <= TIMES * short:
                break
            assert attempt < 2, f"{bit!r}: {short:.4f} s for {SHORT}, {long:.4f} s for {LONG}"


def test_a_pattern_that_is_too_slow_is_noticed() -> None:
    quadratic = re.compile(r"\s+b")

    short = min(seconds(quadratic, " ", SHORT) for _ in range(5))
    long = min(seconds(quadratic, " ", LONG) for _ in range(3))
    assert long > TIMES * short
