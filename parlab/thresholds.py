"""Every threshold of the instrument, with its reason."""

# held: the limits were in force and delivered

# A quota is a whole number of microseconds in a period of 100 000, and it is read back as such.
LIMIT_EXACT = 1e-4  # host CPUs

# A burn is measured over whole periods. The remaining error is the exact moment at which the kernel stops a node that
# has used up its quota, some milliseconds in four periods: 175 burns at 0.25 to 1.5 CPU were off by less than 1 %, 25
# at 0.016 by 2.4 %.
BURN_WITHIN = 0.10  # of the limit
BURN_TICK = 0.01  # host CPUs: a tick of 4 ms in four periods; for limits below 0.1 CPU this exceeds a tenth

# A quota is refilled once per period, so any window may hold one refill more than its length. The kernel also hands out
# a quota in slices of 5 ms per CPU, which may be used in a later period.
LIMIT_PERIODS = 1
LIMIT_SLACK = 0.02  # of the limit
LIMIT_SLACK_S = 0.02  # CPU seconds: the same slices, for runs of tenths of a second

# quiet: the host had the CPU to give

# Every process gets CPU as long as some is idle. Readings 0.4 s apart hold 40 ticks of 10 ms per CPU: one in twenty is
# about the resolution.
IDLE_NONE = 0.05  # of the host's CPUs; less counts as none idle
# A short contention is made up for within a period (task/pace.py). A tenth of the time changes no metric by more than
# the 5 % that labs claim, even if it halves the CPU.
FULL = 0.10  # of the time of a launch
# A cluster as large as its host leaves nothing idle by itself; then others must have used CPU, too.
OTHERS = 0.05  # of the host's CPUs
# Time that a hypervisor gave to others is lost to everyone; the labs claim 5 %.
STOLEN = 0.02  # of the host's CPUs

# The kernel counts idle time, stolen time and each process's time in ticks of 10 ms. A few ticks say nothing.
FEW_TICKS_S = 0.05  # seconds

# On an idle host busy workers got the CPU they were owed: of 253 launches two missed more than 0.05 %, and none more
# than 0.4 %. One that missed 4.9 %, beside other programs, was 16 % slower; labs claim 5 %.
UNDELIVERED = 0.015  # of the CPU owed
# In a run of tenths of a second, one slice that another process used is a percent by itself.
UNDELIVERED_S = 0.02  # seconds of the measured time

# Some virtual machines stand still for a millisecond when they wake up, or when they touch memory that their host has
# reclaimed. The kernel charges that to the running process. Cases were late by one to three times the share in burns.
HELD_UP = 0.025  # of the CPU time that tasks used
HELD_UP_S = 0.02  # seconds of a virtual core

# A process from outside the run uses up the node's own quota.
FOREIGN = 0.02  # of a node's limit

# where the time went

# Labs claim 5 %; an account that leaves most of that open explains nothing.
UNEXPLAINED = 0.03  # of the measured time
# In a run of milliseconds, starting a thread is a share that explains nothing.
UNEXPLAINED_S = 0.01  # seconds

# judgements on a page

# Labs claim 5 %: a worker that runs on alone for less than that costs nothing that they count.
EVEN = 0.05  # of the measured time: no straggler
# Ranks of equal work differ by some percent in CPU time; a tenth more is what a reader would look into.
IMBALANCE = 0.10  # of the mean CPU time of a program's ranks
# Launches of one size differ by 5 %: a curve that misses one by twice that is not their law.
MISFIT = 0.10  # off the farthest launch
# A smaller serial part of the ideal changes a speed-up of 10 by less than the 5 % that labs claim.
UNEVEN = 0.005  # of the work

# certainty of a claim

# A claim is shown, or not shown, if that holds for all but the 2.5 % at one end of the launches' possible values: the
# ends of a 95 % interval.
SURE = 0.975
AGAIN = 5  # launches: they give their spread by themselves, and halve the error
EARLIER_RUNS = 20  # the newest runs of the lab that are used: more add nothing about the spread
DRAWS = 1000  # these determine 2.5 % to within 0.5 %
# With fewer than three degrees of freedom a 95 % interval is longer than four standard deviations.
OWN_FREEDOM = 3  # from here on launches give their spread by themselves

# Used if no launches give the spread. On a quiet host 85 launches of cases that burn or wait in units
# differed by 0.04 to 0.14 %, with other programs beside them by up to 0.5 %.
PACED_SPREAD = 0.003  # of the measured time
# A case's other work (pickling, sending, its own code): 2 to 8 %, in one case 27 %.
UNPACED_SPREAD = 0.10  # of that part of the measured time
START_UP_SPREAD = 0.10  # 2 to 16 %
STATED_FREEDOM = 4  # worth five launches: it is known only roughly
