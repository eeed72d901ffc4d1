"""What the options of commands are for, as `--help` tells it."""

CLUSTER = {"cluster": "name of the cluster, for a second one beside the first"}
SIZE = {
    "nodes": "Number of nodes",
    "cores": "Virtual cores per node",
    "speed": "Fraction of a host core per virtual core, e.g. 1/8",
}
LAB = {
    "nodes": "Cluster sizes to run on, e.g. 1,2,4",
    "unit": "Seconds per unit of work",
    "workers": "Worker counts, e.g. 4,8; overrides the lab's",
    "chunk": "Tasks per chunk, e.g. 1,4; overrides the lab's",
    "size": "Data size; overrides the lab's",
    "json": "file to write the record to, besides results/",
    "trace": "file to write the spans to, for Perfetto or chrome://tracing",
    "explain": "print the lab's handout, and run nothing",
}
RUN = CLUSTER | {
    "backend": "cluster or embedded; default: the cluster, where an engine answers",
    "repeat": "Launches per case; tables show the median",
    "timeout": "Seconds per launch; then it is ended, and shown where each rank was",
    "junit": "file to write the answers to, as JUnit XML",
    "check": "exit 3 when it is not a measurement, 1 when a claim does not hold",
    "quiet": "print the table and the verdict, and nothing while it runs",
    "verbose": "print every worker's timeline, every share of the time, and what each claim rests on",
}
PROGRAM = {
    "module": "run that module, as `python -m` does; -m MODULE, too",
    "mpi": "every rank runs it, as under mpiexec",
    "futures": "as under `python -m mpi4py.futures`: it is run once, MPIPoolExecutor has the ranks",
    "memory": "of each node, as in 512m or 2g; default: 1g",
    "ranks": "ranks, or workers with --futures; default: one a virtual core",
    "sweep": "nodes=1,2,4 (or ranks, cores): run it at each size, and compare",
    "weak": "N=1000*nodes: {N} among its arguments grows with the sizes of --sweep",
    "repeat": "run it so many times; tables show the median",
    "env": "NAME=VALUE, or NAME with the value it has here, a variable for the program; may be given several times",
    "dir": "folder that is the current one of all ranks; what they change comes back to it",
    "out": "folder to bring new and changed files back to instead",
    "timeout": "seconds, or 5m, 2h: then it is ended, and shown where each rank was",
    "no-limits": "without the nodes' limits",
    "spin": "ranks that wait in MPI busy-wait, as Open MPI does by default",
    "tag": "write node and rank before each line",
    "trace": "show the tasks of its pools and executors, who did each and when",
    "image": "image to make nodes of, built on parlab's own",
    "requirements": "requirements file of packages that it needs; kept in an image of their own",
    "backend": RUN["backend"],
    "json": LAB["json"],
    "junit": RUN["junit"],
    "quiet": "say nothing of our own, unless it fails",
    "detach": "run it in the background, and print the number of its job",
}
A_JOB = "its number in `jobs`"
A_RUN = "a run: its number in `results`, its id or a file"

TESTS = {
    "all": "run the slow tests, too, as CI does",
    **{f"require-{what}": f"a missing {what} is a failure, not a skip" for what in ("engine", "browser")},
    "require-measurements": "what a busy host keeps from being measured is a failure, not a count",
}
