#!/bin/sh
# slurm-sized NODES CORES MEGABYTES SECONDS: tell Slurm, on the head, which nodes there are, and wait until all are up.
# Jobs that a killed run has left are cancelled. It prints Slurm's version. Exit code 1: some node is not up after SECONDS; it says which, and why.
set -eu
nodes=$1 cores=$2 memory=$3 seconds=$4

{
    cat /etc/slurm/parlab.conf
    echo "NodeName=head,node-[1-$nodes] CPUs=$cores RealMemory=$memory State=UNKNOWN"
    echo "PartitionName=lab Nodes=node-[1-$nodes] Default=YES MaxTime=INFINITE State=UP"
    echo "PartitionName=whole Nodes=ALL MaxTime=INFINITE State=UP"  # for a pool of ranks, whose rank 0 is on the head
} >"$SLURM_CONF.new"
if ! cmp -s "$SLURM_CONF.new" "$SLURM_CONF"; then
    mv "$SLURM_CONF.new" "$SLURM_CONF"
    timeout 5 scontrol reconfigure >/dev/null 2>&1 || :  # slurmctld may be about to start: then it reads the new file
fi

# A node whose processes could not be ended in time was drained by Slurm. parlab has ended them since.
timeout 5 scontrol update nodename=ALL state=resume >/dev/null 2>&1 || :

# Allocated nodes are up, too: a job of the user's own may run on them.
up() { timeout 5 sinfo -h -N -r -p whole -t idle,allocated,mixed,completing -o %n 2>/dev/null | wc -l; }
until=$(($(date +%s) + seconds))
until [ "$(up)" -gt "$nodes" ]; do
    if [ "$(date +%s)" -ge "$until" ]; then
        timeout 5 sinfo -h -N -p whole -t down,drain,drained,draining,fail,no_respond,unk -o '%n is %T: %E' 2>&1 ||
            tail -n 3 /run/slurmctld.log
        exit 1
    fi
    sleep 0.1
done
timeout 5 scancel --name=parlab || :
sinfo --version
