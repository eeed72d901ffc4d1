"""Help texts of the commands' options, as `--help` prints them."""

CLUSTER = {"cluster": "Cluster name; another name is a second cluster beside the first"}
KIND = {"backend": "cluster or slurm: plain nodes, or the same nodes under Slurm"}
ON_A_NODE = CLUSTER | {
    "node": "Node name, e.g. head or node-1",
    "backend": "cluster or slurm: start such a cluster if none is up",
}
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
    "json": "File for the record, besides results/",
    "trace": "File for all tasks and waits, for Perfetto or chrome://tracing",
    "explain": "Print the lab's handout and run nothing",
}
RUN = CLUSTER | {
    "backend": "cluster, embedded or slurm; default: cluster, if a container engine answers",
    "repeat": "Launches per case; tables show the median",
    "timeout": "Seconds per launch; a longer one is ended, and parlab shows where each rank was",
    "junit": "File for the verdict as JUnit XML",
    "check": "Exit 3 if it is not a measurement or a claim is undecided, 1 if a claim does not hold",
    "quiet": "Print the table and the verdict, and nothing while it runs",
    "verbose": "Print every worker's timeline, every share of the time, and the basis of each claim",
}
PROGRAM = {
    "module": "Run a module, like `python -m`; -m MODULE does the same",
    "mpi": "Run it on every rank, like mpiexec",
    "futures": "Run it once, like `python -m mpi4py.futures`; the ranks are MPIPoolExecutor's workers",
    "memory": "Memory per node, e.g. 512m or 2g; default: 1g",
    "ranks": "Number of ranks, or of workers with --futures; default: one per virtual core",
    "sweep": "Sizes to run at and compare, e.g. nodes=1,2,4; also ranks= or cores=",
    "weak": "Argument that grows with the sizes of --sweep: N=1000*nodes replaces {N}",
    "repeat": "Number of runs; tables show the median",
    "env": "Variable for the program: NAME=VALUE, or NAME to pass on your own; repeat it for more",
    "dir": "Current folder of all ranks; changed files come back to it",
    "out": "Folder for new and changed files, instead of --dir",
    "timeout": "Seconds, or e.g. 5m or 2h; default: 1h; then it is ended, and parlab shows where each rank was",
    "no-limits": "Run without the nodes' limits",
    "spin": "Ranks that wait in MPI busy-wait, Open MPI's default",
    "tag": "Print node and rank before each line",
    "trace": "Show the tasks of its pools and executors, with worker and time",
    "image": "Image for the nodes, built on parlab's own",
    "requirements": "Requirements file of its packages; they are kept in an image of their own",
    "backend": RUN["backend"],
    "json": LAB["json"],
    "junit": RUN["junit"],
    "quiet": "Print nothing of parlab's own, unless it fails",
    "detach": "Run it in the background and print the job's number",
}
SITE = {
    "site": "File that describes the site; default: a Slurm as it comes",
    "mpi": PROGRAM["mpi"],
    "nodes": "Number of nodes to ask for",
    "cores": "Cores per node; default: the site's",
    "ranks": "Number of ranks; default: one per core",
    "dir": "The program's folder, which goes along",
    "requirements": "Requirements file of its packages",
}
A_JOB = "Job number from `jobs`"
A_RUN = "Run number from `results`, a run's id, or a file"
PREDICTION = {
    "run": f"{A_RUN}; or a lab's name, for its kept runs",
    "nodes": "Cluster sizes to predict, up to 16384 nodes",
    "case": "Case to predict; default: the first that has a prediction",
    "tasks": "Number of tasks in place of the record's, e.g. 1000000",
    "chunk": "Tasks per chunk; default: 1",
    "json": "File for the prediction",
}

TESTS = {
    "all": "Run the slow tests too, like CI",
    **{f"require-{needed}": f"Without {needed}, fail instead of skipping tests" for needed in ("engine", "browser")},
    "require-measurements": "If a busy host prevents a measurement, fail instead of counting it",
}
