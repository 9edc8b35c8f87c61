#!/bin/sh
# Makes sure that what building, the demo and the tests need is installed (Debian and Ubuntu). Installs nothing where
# nothing is missing, so that it needs no network and no rights then. Two commands need more:
#
# usage: setup.sh [manifests | image]
set -eu

fail() { echo "setup: $*" >&2; exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }
java_17() { has java && java -version 2>&1 | grep -Eq 'version "(1[7-9]|[2-9][0-9])'; }
postgres_server() { ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; }

has cargo || fail "cargo is missing: install Rust from https://rustup.rs and open a new shell"

missing=""
need() { missing="$missing $1"; }
has cc && has c++ && has make || need build-essential
has pkg-config || need pkg-config
has perl || need perl
[ -e /usr/include/zlib.h ] || need zlib1g-dev
[ -e /usr/include/openssl/ssl.h ] || need libssl-dev
[ -d /etc/ssl/certs ] || need ca-certificates
has setpriv && has flock || need util-linux
has ip && has bridge || need iproute2
has kcat || need kcat
has chromium || need chromium
has optipng || need optipng
has python3 || need python3
has prometheus && has promtool || need prometheus
has prometheus-node-exporter || need prometheus-node-exporter
has prometheus-postgres-exporter || need prometheus-postgres-exporter
has mvn || need maven
java_17 || need default-jre-headless
postgres_server || need postgresql
[ -x /usr/sbin/pgbouncer ] || need pgbouncer
case "${1:-}" in
manifests)
    has git || need git
    python3 -c 'import ensurepip' 2>/dev/null || need python3-venv
    ;;
image)
    has buildah || need buildah
    has podman || need podman
    has runc || need runc
    has mmdebstrap || need mmdebstrap
    has fuse-overlayfs || need fuse-overlayfs
    has iptables || need iptables
    [ -e /usr/lib/podman/netavark ] || need netavark
    [ -e /usr/lib/podman/aardvark-dns ] || need aardvark-dns
    [ -e /usr/libexec/podman/catatonit ] || has catatonit || need catatonit
    has openssl || need openssl
    has curl || need curl
    python3 -c 'import ensurepip' 2>/dev/null || need python3-venv
    ;;
esac
[ -n "$missing" ] || exit 0

has apt-get || fail "please install, by your system's package manager:$missing"
if [ "$(id -u)" = 0 ]; then
    as_root() { "$@"; }
elif has sudo; then
    as_root() { sudo "$@"; }
else
    fail "please run as root: apt-get install$missing"
fi

echo "setup: installing$missing"
case "$missing" in
*postgresql*)
    # Tests and the demo start servers of their own; the package is not to start one for the whole system.
    conf=/etc/postgresql-common/createcluster.conf
    if [ ! -e "$conf" ]; then
        as_root mkdir -p "$(dirname "$conf")"
        echo "create_main_cluster = false" | as_root tee "$conf" >/dev/null
    fi
    ;;
esac
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086  # one word a package
if ! { as_root apt-get update && as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y --no-install-recommends -o Dpkg::Options::=--force-confold $missing; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    fail "apt-get could not install$missing"
fi
# The tests start these on ports of their own; the packages' services are not to run.
for service in prometheus prometheus-node-exporter prometheus-postgres-exporter pgbouncer; do
    case " $missing " in
    *" $service "*)
        as_root invoke-rc.d "$service" stop >/dev/null 2>&1 || true
        as_root update-rc.d "$service" disable >/dev/null 2>&1 || true
        ;;
    esac
done
java_17 || fail "Java 17 or newer is needed and this system's default is older"
