#!/bin/sh
# slurm-sized NODES CORES MEGABYTES SECONDS: tell Slurm, on the head, which nodes there are, and wait until all are up.
# What a killed run has left is removed. It prints Slurm's version. Exit code 1: some node is not up after SECONDS; it
# says which, and why.
set -eu
nodes=$1 cores=$2 memory=$3 seconds=$4
memory=$((memory - memory / 16))  # the rest is for the node's own daemons

{
    cat /etc/slurm/parlab.conf
    echo "NodeName=head,node-[1-$nodes] CPUs=$cores RealMemory=$memory State=UNKNOWN"
    # The user's own jobs. Times are in minutes.
    own="Nodes=node-[1-$nodes] State=UP DefMemPerCPU=$((memory / cores))"
    echo "PartitionName=short $own Default=YES DefaultTime=5 MaxTime=5 PriorityTier=2"
    echo "PartitionName=long $own DefaultTime=60 MaxTime=720 PriorityTier=1"
    # parlab's launches: they have their own deadlines, they come first, and they have whole nodes with all memory.
    parlab="MaxTime=INFINITE State=UP PriorityTier=3 SelectTypeParameters=CR_Core"
    echo "PartitionName=lab Nodes=node-[1-$nodes] $parlab"
    echo "PartitionName=whole Nodes=ALL $parlab"  # for a pool of ranks, whose rank 0 is on the head
} >"$SLURM_CONF.new"
read=$SLURM_CONF.read  # what slurmctld has read: it starts when there is a first file
[ -e "$SLURM_CONF" ] || cp "$SLURM_CONF.new" "$read"
mv "$SLURM_CONF.new" "$SLURM_CONF"

# It may have read the last file, and not listen yet: so it is told until it has heard.
known() {
    cmp -s "$SLURM_CONF" "$read" && return
    timeout 5 scontrol reconfigure >/dev/null 2>&1 && cp "$SLURM_CONF" "$read"
}

# Slurm takes a node out of use if a job's processes do not end in time, and if a controller that was killed has given a
# number twice. parlab has ended such jobs since. A node that the user has drained stays so.
resume() {
    timeout 5 sinfo -h -N -p whole -t drain -o '%n %E' 2>/dev/null | sort -u | while read -r node reason; do
        case $reason in
            *"Kill task failed"* | *"Duplicate jobid"*) timeout 5 scontrol update "nodename=$node" state=resume >/dev/null 2>&1 || : ;;
        esac
    done
}

# Nodes with jobs of the user's own, or with plans for one, are up, too.
up() {
    timeout 5 sinfo -h -N -p whole -o '%n %T' 2>/dev/null | grep -v -c -E 'down|drain|fail|unk|inval|no_respond|[*]$'
}

until=$(($(date +%s) + seconds))
until known && [ "$(up)" -gt "$nodes" ]; do
    if [ "$(date +%s)" -ge "$until" ]; then
        timeout 5 sinfo -h -N -p whole -t down,drain,drained,draining,fail,no_respond,unk -o '%n is %T: %E' 2>&1 ||
            tail -n 3 /run/slurmctld.log
        exit 1
    fi
    resume
    sleep 0.1
done
timeout 5 scancel --name=parlab || :
rm -rf /jobs/.parlab-*
sinfo --version
