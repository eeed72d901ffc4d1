"""Tasks for the user's own programs."""

from collections.abc import Callable
from typing import Any

from invoke.context import Context
from invoke.tasks import Task, task

from parlab.commands import detached, jobs
from parlab.commands.jobs import WORDS
from parlab.commands.labs import exiting
from parlab.commands.options import A_JOB, CLUSTER, PROGRAM, SIZE
from parlab.host.background import Turn, own_job
from parlab.menu.words import taking_a_word
from parlab.run.job_request import read_job
from parlab.run.request import read_cluster


@task(auto_shortflags=False, iterable=["env"], help=CLUSTER | SIZE | PROGRAM)
def run(
    context: Context,
    module: str | None = None,
    mpi: bool = False,
    futures: bool = False,
    nodes: str = "1",
    cores: str = "2",
    speed: str = "1/8",
    memory: str | None = None,
    ranks: str | None = None,
    sweep: str | None = None,
    weak: str | None = None,
    repeat: str = "1",
    env: list[str] | None = None,
    dir: str = ".",
    out: str | None = None,
    timeout: str = "3600",
    no_limits: bool = False,
    spin: bool = False,
    tag: bool = False,
    trace: bool = False,
    image: str | None = None,
    requirements: str | None = None,
    cluster: str = "default",
    backend: str | None = None,
    json: str | None = None,
    junit: str | None = None,
    quiet: bool = False,
    detach: bool = False,
) -> None:
    """Run your own program; its arguments stand behind it."""
    with own_job() as job, exiting():
        request = read_job(
            context.config[WORDS],
            module=module,
            mpi=mpi,
            futures=futures,
            nodes=nodes,
            cores=cores,
            speed=speed,
            memory=memory,
            ranks=ranks,
            sweep=sweep,
            weak=weak,
            repeat=repeat,
            env=env or (),
            folder=dir,
            out=out,
            timeout=timeout,
            no_limits=no_limits,
            spin=spin,
            tag=tag,
            trace=trace,
            image=image,
            requirements=requirements,
            cluster=cluster,
            backend=backend,
            json=json,
            junit=junit,
            quiet=quiet,
        )
        if detach and job is None:
            detached.start(request)
        else:
            jobs.run_program(request, job or Turn())


@task(auto_shortflags=False, help=CLUSTER)
def why(_: Context, cluster: str = "default") -> None:
    """Show where each rank of a running program or lab is."""
    with exiting():
        jobs.why(read_cluster(cluster))


@task(name="jobs", auto_shortflags=False, help=CLUSTER)
def list_jobs(_: Context, cluster: str = "default") -> None:
    """List jobs: runs in the background, and Slurm's, newest first."""
    with exiting():
        detached.list_jobs(read_cluster(cluster))


def logs_task(*, named: bool) -> Task[Callable[..., Any]]:
    """Make the task `logs`, for a named job or for the newest: invoke has no optional words."""
    told = {
        "job": f"{A_JOB}; default: the newest",
        "follow": "Print until the job ends, and exit with its code; Ctrl-C ends only this",
    }

    def logs(_: Context, job: str | None = None, follow: bool = False) -> None:
        """Print a job's output, e.g. logs 1 --follow."""
        with exiting():
            detached.show_logs(job, follow=follow)

    return taking_a_word(logs, "job", told, given=named)


@task(help={"job": A_JOB})
def cancel(_: Context, job: str) -> None:
    """End a job, like Ctrl-C."""
    with exiting():
        detached.cancel(job)
