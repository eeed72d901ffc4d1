# A layer with Slurm, on the nodes' image: the controller for the head, a daemon for each node, the users' commands, and
# editors for a batch script.
ARG IMAGE
FROM ${IMAGE}
USER root
RUN apt-get update \
 && apt-get install --yes --no-install-recommends slurmctld slurmd slurm-client nano vim-tiny \
 && rm -rf /var/lib/apt/lists/* /var/cache/debconf/*-old /var/log/* \
 && mv /usr/local/bin/node /usr/local/bin/plain-node
COPY slurm.conf /etc/slurm/parlab.conf
COPY --chmod=755 slurm.sh /usr/local/bin/node
COPY --chmod=755 slurm-sized.sh /usr/local/bin/slurm-sized
COPY --chmod=755 slurm-epilog.sh /usr/local/bin/slurm-epilog
# Written by slurm-sized. The folder is in memory, and all nodes see it: so each daemon and command reads one file.
ENV SLURM_CONF=/cluster/slurm/slurm.conf
# For the user's own jobs, as parlab/run/mpiexec.py sets them for launches.
ENV OMPI_MCA_pml=ob1 OMPI_MCA_btl=self,sm,tcp OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_osc=^ucx OMPI_MCA_smsc=^cma
USER lab
