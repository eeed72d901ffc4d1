#!/bin/sh
# A node's main process: sshd. The head first makes the cluster's keys, in memory shared by all nodes:
# they exist as long as the cluster does, and are never in an image or on a disk.
set -eu

if [ "${1:-node}" = head ] && [ ! -e /cluster/ssh ]; then
    new=$(mktemp -d /cluster/ssh.XXXXXX)
    ssh-keygen -q -t ed25519 -N '' -C lab -f "$new/user"
    ssh-keygen -q -t ed25519 -N '' -C host -f "$new/host"
    printf '* %s\n' "$(cat "$new/host.pub")" >"$new/known_hosts"
    mv "$new" /cluster/ssh
fi
exec /usr/sbin/sshd -D -e
