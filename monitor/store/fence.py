"""Changes to one job, each guarded by the number of the attempt that holds it: the fence.

The statements are built once, because every job needs three of them.
"""

from sqlalchemy import and_, bindparam, update

from monitor.store.claims import JOBS, c
from monitor.store.work_tables import JobState

JOB = (c.id, c.kind, c.args, c.attempt, c.max_attempts, c.due_at, c.unique_key, c.lane)  # as Job

# Is it held by attempt :number?
HELD = and_(
    c.id == bindparam("job_id"),
    c.attempt == bindparam("number"),
    c.state == JobState.DUE,
    c.lease_until.is_not(None),
)
_UNTIL = bindparam("until", type_=c.lease_until.type)
_NOW = bindparam("now", type_=c.done_at.type)
_ERROR = bindparam("error", type_=c.last_error.type)
BEGIN = (
    update(JOBS)
    .where(HELD, c.begun < c.attempt)
    .values(begun=c.attempt, lease_until=_UNTIL)
    .returning(*JOB)
)
RENEW = update(JOBS).where(HELD).values(lease_until=_UNTIL)
RETRY = (
    update(JOBS)
    .where(HELD)
    .values(due_at=bindparam("due", type_=c.due_at.type), lease_until=None, last_error=_ERROR)
    .returning(c.id)
)
# The number stays used up: a delivery under way must not pass the fence.
RELEASE = (
    update(JOBS)
    .where(HELD, c.begun < c.attempt)
    .values(lease_until=None, max_attempts=c.max_attempts + 1)
)
END = (
    update(JOBS)
    .where(HELD, c.begun == c.attempt)
    .values(
        state=bindparam("end", type_=c.state.type),
        lease_until=None,
        last_error=_ERROR,
        done_at=_NOW,
    )
    .returning(c.again_at, c.again_args)
)
