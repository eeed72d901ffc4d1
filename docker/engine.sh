#!/bin/sh
# From a bare Debian or Ubuntu machine to a running engine with Compose v2 and Buildx, and to the base
# image of docker/Dockerfile, even if no container registry is reachable.
#
#     sudo docker/engine.sh
#
# Safe to run twice: existing parts are left unchanged. Variables, all optional:
#     PARLAB_BASE            the base image; default debian:trixie-slim
#     PARLAB_DEBIAN_MIRROR   Debian's packages; default: the mirror in this machine's apt sources
#     PARLAB_ENGINE_LOG      the daemon's log, if no service manager keeps one
#
# .ci/bare runs it on a Debian without any of this: success on a developer's machine proves little.
set -eu

BASE=${PARLAB_BASE:-debian:trixie-slim}
ENGINE_LOG=${PARLAB_ENGINE_LOG:-/var/log/dockerd.log}
SUITE=trixie                    # the Debian release behind the base image; Debian 12 gets its engine from it
ENGINE_SOURCES=/etc/apt/sources.list.d/parlab-engine.sources
DEBIAN_PACKAGES='docker.io docker-cli docker-compose docker-buildx'  # docker.io only recommends the client, docker-cli

say() { printf 'engine: %s\n' "$*"; }
die() { printf 'engine: %s\n' "$*" >&2; exit 1; }

# The client answers `docker info` by itself; only the server's version proves an engine.
engine_answers() { [ -n "$(timeout 20 docker version --format '{{.Server.Version}}' 2>/dev/null)" ]; }
has_client() { command -v docker >/dev/null; }
has_systemd() { [ -d /run/systemd/system ]; }
plugins_answer() { docker compose version >/dev/null 2>&1 && docker buildx version >/dev/null 2>&1; }

need_root() { [ "$(id -u)" -eq 0 ] || die "$1 needs root: run sudo $0"; }

mirror() {
    [ -z "${PARLAB_DEBIAN_MIRROR:-}" ] || { printf '%s\n' "$PARLAB_DEBIAN_MIRROR"; return; }
    [ "$ID" = debian ] || die "set PARLAB_DEBIAN_MIRROR: this machine's apt sources do not name a Debian mirror"
    cat /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources 2>/dev/null |
        sed -nE 's/^(URIs:|deb( +\[[^]]*\])?) +([^ ]+).*/\3/p' | grep -v -- '-security' | head -n 1 | grep . ||
        die "set PARLAB_DEBIAN_MIRROR: no mirror in /etc/apt/sources.list or sources.list.d/debian.sources"
}

install_packages() {
    need_root "installing an engine"
    export DEBIAN_FRONTEND=noninteractive
    release=
    release_number=${VERSION_ID:-rolling}
    # The newer release's engine brings its base-files, too: after that a Debian 12 calls itself 13.
    [ ! -e "$ENGINE_SOURCES" ] || release_number=12
    case "$ID-${release_number%%.*}" in
        ubuntu-*) packages='docker.io docker-compose-v2 docker-buildx' ;;  # the client is in docker.io
        debian-12)                        # its own engine is too old, and it has no Compose v2
            packages=$DEBIAN_PACKAGES release="-t $SUITE"
            uri=$(mirror)
            keyring=/usr/share/keyrings/debian-archive-keyring.gpg
            printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n' "$uri" "$SUITE" "$keyring" \
                >"$ENGINE_SOURCES"
            # Below a release's own 500: only the engine's dependencies come from the newer release.
            printf 'Package: *\nPin: release n=%s\nPin-Priority: 100\n' "$SUITE" >/etc/apt/preferences.d/parlab-engine ;;
        debian-*) packages=$DEBIAN_PACKAGES ;;
        *) die "this script knows Debian and Ubuntu, not ${PRETTY_NAME:-this system}: install Docker Engine 25 or newer" \
               "with Compose v2 and Buildx as https://docs.docker.com/engine/install describes" ;;
    esac
    say "installing $packages"
    apt-get -qq update
    # shellcheck disable=SC2086  # word splitting is intended
    apt-get -qq install --no-remove --no-install-recommends $release $packages iptables ca-certificates >/dev/null ||
        die "apt could not install $packages beside what is there; is it Docker's own packages that lack" \
            "docker-compose-plugin and docker-buildx-plugin?"
    has_client || die "installed $packages, but there is no command 'docker': which package has the client here?"
}

# A daemon ended by SIGKILL leaves its pid file; the number may belong to another program now.
forget_dead_daemon() {
    for file in /run/docker.pid /run/docker/containerd/containerd.pid; do
        [ -e "$file" ] || continue
        case "$(cat "/proc/$(cat "$file")/comm" 2>/dev/null)" in
            dockerd|containerd) ;;
            *) rm -f "$file" ;;
        esac
    done
}

start_daemon() {
    need_root "starting the engine"
    if has_systemd; then
        say "starting docker.service"
        systemctl start docker || daemon_failed "systemd could not start docker.service"
    else
        forget_dead_daemon
        say "starting dockerd, log in $ENGINE_LOG"
        setsid dockerd >>"$ENGINE_LOG" 2>&1 </dev/null &
        daemon=$!
    fi
    deadline=$(($(date +%s) + 60))
    until engine_answers; do
        [ -z "${daemon:-}" ] || kill -0 "$daemon" 2>/dev/null || daemon_failed "the daemon ended"
        [ "$(date +%s)" -lt "$deadline" ] ||
            daemon_failed "the daemon runs, but 'docker version' has shown no server in 60 s; the client says:" \
                "$(docker version 2>&1 >/dev/null | tail -n 1)"
        sleep 0.2
    done
}

# If a service manager runs the daemon, the log is in its journal.
daemon_failed() {
    if has_systemd; then
        die "$*; for the reason see journalctl -u docker, which ends:" \
            "$(journalctl --unit docker --lines 5 --no-pager --output cat 2>/dev/null)"
    fi
    die "$*; the end of $ENGINE_LOG: $(tail -n 5 "$ENGINE_LOG" 2>/dev/null)"
}

# Like the official image, and unlike a plain mmdebstrap: no package cache and no manuals in the layer.
make_base() {
    uri=$(mirror)
    say "making $BASE from Debian's packages"
    if ! command -v mmdebstrap >/dev/null; then
        need_root "installing mmdebstrap"
        apt-get -qq update
        DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends mmdebstrap debian-archive-keyring >/dev/null
    fi
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    mmdebstrap --quiet --variant=minbase \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/lintian/*' \
        --aptopt='Dir::Cache::pkgcache ""' --aptopt='Dir::Cache::srcpkgcache ""' \
        --aptopt='DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; }' \
        "$SUITE" "$work/base.tar" "deb $uri $SUITE main" "deb $uri $SUITE-updates main"
    docker import --change 'CMD ["bash"]' "$work/base.tar" "$BASE" >/dev/null
}

[ -r /etc/os-release ] || die "no /etc/os-release: this script knows Debian and Ubuntu"
. /etc/os-release

if ! has_client || ! plugins_answer || { ! engine_answers && ! command -v dockerd >/dev/null; }; then
    install_packages
fi
engine_answers || start_daemon
plugins_answer || die "the engine runs, but 'docker compose' or 'docker buildx' does not answer"

if ! docker image inspect "$BASE" >/dev/null 2>&1 && ! timeout 300 docker pull --quiet "$BASE" >/dev/null 2>&1; then
    make_base
fi
say "engine $(docker version --format '{{.Server.Version}}'), Compose $(docker compose version --short), base image $BASE: ready"
