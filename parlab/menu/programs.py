"""Tasks for programs of the user's own."""

from invoke.context import Context
from invoke.tasks import task

from parlab.commands import jobs
from parlab.commands.jobs import WORDS
from parlab.commands.labs import exiting
from parlab.commands.options import CLUSTER, PROGRAM, SIZE
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
) -> None:
    """Run a program of your own, with its arguments behind it."""
    with exiting():
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
        jobs.run_program(request)


@task(auto_shortflags=False, help=CLUSTER)
def why(_: Context, cluster: str = "default") -> None:
    """Tell what each rank of a running program is at."""
    with exiting():
        jobs.why(read_cluster(cluster))
