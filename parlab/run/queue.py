"""What the user is told of the ranks' job in Slurm: why it waits, that it runs, why Slurm has refused or ended it."""

from parlab.errors import RunError
from parlab.model.starting import InQueue

WAITS = {  # Slurm's reasons, in words
    "Resources": "its nodes are in use, squeue shows by which jobs",
    "Priority": "other jobs are before it in the queue",
    "ReqNodeNotAvail": "a node that it needs is not available, sinfo shows which",
    "BeginTime": "it is to start at a later time",
    "JobHeldUser": "it is held, scontrol release lets it go",
    "PartitionDown": "its partition takes jobs, and starts none",
}
ENDED = {
    "CANCELLED": "was cancelled (scancel)",
    "TIMEOUT": "has reached its time limit in Slurm, and was ended",
    "NODE_FAIL": "has lost a node, and was ended",
    "OUT_OF_MEMORY": "has run out of memory, and was ended",
    "LOST": "is gone",
}
RUNS = ("RUNNING", "COMPLETING", "CONFIGURING", "SUSPENDED")


def told(job: InQueue) -> str:
    """A line about a job that waits or runs. Raises RunError for a job that will not come to its end."""
    name = f"Slurm job {job.number}"
    if job.state == "REFUSED":
        raise RunError(f"Slurm has refused the job: {job.reason}. `sinfo` on the head shows what there is")
    if job.state == "PENDING":
        reason, *_ = job.reason.split(",")
        return f"{name} is queued ({job.reason}): {WAITS.get(reason, 'that is the reason Slurm gives')}"
    if job.state in RUNS:
        return f"{name} is {job.state.lower()}"
    how = ENDED.get(job.state, f"was ended by Slurm, its state is {job.state}")
    reason = f" ({job.reason})" if job.reason not in ("None", "") else ""
    raise RunError(f"{name} {how}{reason}. Retry; `scontrol show job {job.number}` on the head shows more")
