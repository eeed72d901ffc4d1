#!/bin/sh
# Runs on each node of a job when the job has ended: Open MPI's ranks leave the empty folders of their session.
find /tmp/ompi.* -depth -type d -empty -delete 2>/dev/null
exit 0
