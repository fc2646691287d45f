"""Time that passes without mail is told to the judge too: such a row has no test."""

import sqlalchemy as sa
from alembic import op

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('observation', schema=None) as batch_op:
        batch_op.alter_column('test_id', existing_type=sa.Integer(), nullable=True)
