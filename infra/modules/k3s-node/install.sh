#!/bin/sh
# Installs K3s on one machine over ssh, or brings it to another version or configuration. Safe to run again.
#
# usage: install.sh server|agent
# environment: TARGET user@host; K3S_VERSION; K3S_CONFIG the text of /etc/rancher/k3s/config.yaml; for the server KUBE_CONFIG, the
# file that its access is written to; for an agent SERVER user@host, which it joins.
set -eu
role=$1

remote() { ssh -o BatchMode=yes "$TARGET" "$@"; }
# From standard input to a file that only root reads: neither the configuration nor the token is ever in argv.
put() { remote "sudo install -D -m 0600 /dev/stdin $1"; }

printf '%s\n' "$K3S_CONFIG" | put /etc/rancher/k3s/config.yaml
if [ "$role" = agent ]; then
    ssh -o BatchMode=yes "$SERVER" "sudo cat /var/lib/rancher/k3s/server/node-token" | put /etc/rancher/k3s/token
fi

# Without being forced it would not restart for a change of the configuration alone.
curl -sfL https://get.k3s.io | remote "sudo env INSTALL_K3S_VERSION='$K3S_VERSION' INSTALL_K3S_FORCE_RESTART=true sh -s - $role"
[ "$role" = server ] || exit 0

remote "timeout 300 sh -c 'until sudo k3s kubectl get --raw /readyz; do sleep 2; done'" >/dev/null
mkdir -p "$(dirname "$KUBE_CONFIG")"
umask 077
remote "sudo cat /etc/rancher/k3s/k3s.yaml" | sed "s/127\.0\.0\.1/${TARGET#*@}/" >"$KUBE_CONFIG"
