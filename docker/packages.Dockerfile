# A layer with a program's Python packages, on the nodes' image or on an image built on it.
ARG IMAGE
# Debian's pip, and the certificates that it needs; nodes do not need them.
FROM ${IMAGE} AS pip
USER root
RUN apt-get update && apt-get install --yes --no-install-recommends python3-pip-whl ca-certificates

FROM ${IMAGE}
USER root
# Secrets, since an index's address may hold a password; `ca` as in Dockerfile.
RUN --mount=type=secret,id=ca --mount=type=secret,id=index --mount=type=bind,target=/tmp/wanted \
    --mount=type=bind,from=pip,source=/usr/share/python-wheels,target=/tmp/wheels \
    --mount=type=bind,from=pip,source=/etc/ssl/certs,target=/etc/ssl/certs \
    if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi; \
    if [ -s /run/secrets/index ]; then PIP_INDEX_URL=$(cat /run/secrets/index); export PIP_INDEX_URL; fi; \
    PYTHONDONTWRITEBYTECODE=1 /opt/parlab/bin/python "$(echo /tmp/wheels/pip-*.whl)/pip" install --no-cache-dir \
        --disable-pip-version-check --no-input --root-user-action ignore --requirement /tmp/wanted/requirements.txt
USER lab
