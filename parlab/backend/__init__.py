"""Where a lab runs: on the cluster, or embedded in this machine."""
