"""Kinds of columns that the tables share."""

from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Column, Enum
from sqlmodel import Field


def words(enum: type[StrEnum]) -> Enum:
    """A column type that stores the members' values, so that renaming a member is safe."""
    return Enum(
        enum, native_enum=False, length=32, values_callable=lambda e: [str(m.value) for m in e]
    )


def json_column() -> Any:  # noqa: ANN401 - SQLModel's Field is typed so
    """A JSON column that is never NULL."""
    return Field(default_factory=dict, sa_column=Column(JSON, nullable=False))


def json_list() -> Any:  # noqa: ANN401 - SQLModel's Field is typed so
    """A JSON column that holds a list and is never NULL."""
    return Field(default_factory=list, sa_column=Column(JSON, nullable=False))


def saved(row_id: int | None) -> int:
    """Return the id of a row that has been flushed, which the database has set by then."""
    if row_id is None:
        raise ValueError("this row has not been written yet")
    return row_id
