#!/bin/sh
# A node's main process where Slurm runs: Slurm's daemons, each started again when it has ended, and the plain node's.
# The head first makes the key that the daemons know each other by; like the ssh keys it is in memory only.
set -eu
folder=${SLURM_CONF%/*}

if [ "${1:-node}" = head ] && [ ! -e "$folder" ]; then
    new=$(mktemp -d "$folder.XXXXXX")
    (umask 077 && head -c 1024 /dev/urandom >"$new/slurm.key")
    echo CgroupPlugin=disabled >"$new/cgroup.conf"
    : >"$new/first.conf"
    mv "$new" "$folder"
fi

# Until slurm-sized has named this node, slurmd ends at once. A daemon's log is that of its last start.
keep() {
    until [ -e "$SLURM_CONF" ]; do sleep 0.1; done
    first=1
    while :; do
        # A controller that was killed may not have saved its last numbers, and nodes still end the jobs that had them:
        # so the next one begins far above.
        if [ "$1" = slurmctld ]; then
            echo "FirstJobId=$first" >"$folder/first.conf"
            first=$((first + 1000))
        fi
        "/usr/sbin/$@" >"/run/$1.log" 2>&1 || :
        sleep 0.2
    done
}

mkdir -p /run/slurmctld /run/slurmd
[ "${1:-node}" != head ] || keep slurmctld -D &
keep slurmd -D -N "$(hostname)" &
exec plain-node "$@"
