# Sourced: `engine` and `builder` are podman and buildah with storage of their own below $work, so that nothing of the machine's
# own is touched. Needs root, and no daemon, registry or cgroup v2.

work=${STREAMFLOW_IMAGE_WORK:-$PWD/.cache/image}
mkdir -p "$work"

fail() { echo "image: $*" >&2; exit 1; }
needs() { for tool in "$@"; do command -v "$tool" >/dev/null || fail "$tool is missing: run scripts/setup.sh image"; done; }

needs buildah podman runc
[ "$(id -u)" = 0 ] || fail "please run as root"

cat >"$work/containers.conf" <<CONF
[containers]
# podman's own defaults need a capability that root of a container or a small virtual machine may lack.
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
[network]
network_config_dir = "$work/networks"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
# Also where cgroups are still of version 1.
runtime = "runc"
CONF
printf 'unqualified-search-registries = ["docker.io"]\nshort-name-mode = "permissive"\n' >"$work/registries.conf"
export CONTAINERS_CONF="$work/containers.conf" CONTAINERS_REGISTRIES_CONF="$work/registries.conf"

builder() { buildah --root "$work/storage" --runroot "$work/run" --storage-driver overlay "$@"; }
engine() { podman --root "$work/storage" --runroot "$work/run" --storage-driver overlay "$@"; }
