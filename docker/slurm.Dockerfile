# A layer with Slurm, on the nodes' image: the controller for the head, a daemon for each node, the users' commands.
ARG IMAGE
FROM ${IMAGE}
USER root
RUN apt-get update \
 && apt-get install --yes --no-install-recommends slurmctld slurmd slurm-client \
 && rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/* \
 && mv /usr/local/bin/node /usr/local/bin/plain-node
COPY slurm.conf /etc/slurm/parlab.conf
COPY --chmod=755 slurm.sh /usr/local/bin/node
COPY --chmod=755 slurm-sized.sh /usr/local/bin/slurm-sized
COPY --chmod=755 slurm-epilog.sh /usr/local/bin/slurm-epilog
# Written by slurm-sized. The folder is in memory, and all nodes see it: so each daemon and command reads one file.
ENV SLURM_CONF=/cluster/slurm/slurm.conf
USER lab
