#!/bin/sh
# Installs K3s on machines over ssh, one after the other, or brings them to another version or configuration. Safe to run again.
#
# usage: install.sh server|agent|access
# environment: TARGETS user@host of each machine; K3S_VERSION; K3S_CONFIG the text of /etc/rancher/k3s/config.yaml; for those that join
# FIRST, user@host of the server that they join. `access` only writes the access of a server to KUBE_CONFIG, with API as its host.
set -eu
role=$1

on() { target=$1 && shift && ssh -o BatchMode=yes "$target" "$@"; }
# From standard input to a file that only root reads: neither the configuration nor the token is ever in argv.
put() { on "$1" "sudo install -D -m 0600 /dev/stdin $2"; }

install_on() {
    printf '%s\n' "$K3S_CONFIG" | put "$1" /etc/rancher/k3s/config.yaml
    if [ -n "${FIRST:-}" ]; then
        # A server's token makes a machine a server; agents get one that does not.
        case $role in server) token=token ;; *) token=node-token ;; esac
        ssh -o BatchMode=yes "$FIRST" "sudo cat /var/lib/rancher/k3s/server/$token" | put "$1" /etc/rancher/k3s/token
    fi
    # Without being forced it would not restart for a change of the configuration alone.
    curl -sfL https://get.k3s.io |
        on "$1" "sudo env INSTALL_K3S_VERSION='$K3S_VERSION' INSTALL_K3S_FORCE_RESTART=true sh -s - $role"
    # Ready includes etcd: only then may the next one be restarted.
    [ "$role" = agent ] ||
        on "$1" "timeout 300 sh -c 'until sudo k3s kubectl get --raw /readyz; do sleep 2; done'" </dev/null >/dev/null
}

if [ "$role" = access ]; then
    mkdir -p "$(dirname "$KUBE_CONFIG")"
    umask 077
    on "$TARGETS" "sudo cat /etc/rancher/k3s/k3s.yaml" | sed "s/127\.0\.0\.1/$API/" >"$KUBE_CONFIG"
    exit
fi
for machine in $TARGETS; do install_on "$machine"; done
