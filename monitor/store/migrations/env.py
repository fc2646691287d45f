"""Run by Alembic: migrate the connection that store/engine.py hands over."""

from alembic import context
from sqlmodel import SQLModel

from monitor.store import (  # noqa: F401 - their rows
    feed_tables,
    route_tables,
    tables,
    verdict_tables,
    work_tables,
)

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,  # SQLite alters a table by making it anew
)
context.run_migrations()
