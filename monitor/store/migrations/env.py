"""Run by Alembic: migrate the connection that store/engine.py hands over."""

from alembic import context
from sqlmodel import SQLModel

from monitor.store import tables, verdict_tables, work_tables  # noqa: F401 - their rows

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,  # SQLite alters a table by making it anew
)
context.run_migrations()
