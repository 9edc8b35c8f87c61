#!/bin/bash
# Runs the image as a cluster does, without a cluster: as nobody, without a capability, on a file system that cannot be written; and
# the pods of both overlays and of all components, with the configuration, users and rights that are deployed, against a real Kafka and PostgreSQL that
# take nothing but TLS. `make image-test`; build the image first. The last line is "N passed, N failed".
#
# usage: test.sh [IMAGE [K8S_DIRECTORY]]
set -u
cd "$(dirname "$0")/../.." || exit 1
. scripts/image/engine.sh
. scripts/image/world.sh
image=${1:-localhost/streamflow:0.1.0}
k8s=${2:-k8s}
python=$work/venv/bin/python
kustomize=$(ls "${XDG_CACHE_HOME:-$HOME/.cache}"/streamflow/manifests/kustomize-* 2>/dev/null | tail -1)
passed=0
failed=0

needs curl java openssl python3 setpriv
[ -n "$kustomize" ] || fail "kustomize is missing: run scripts/manifests/check.sh first"
ls .cache/kafka/kafka_*.jar >/dev/null 2>&1 || fail "Kafka's jars are missing: run make jars"

check() { # WHAT COMMAND...
    local what=$1
    shift
    if "$@"; then passed=$((passed + 1)) && echo "ok    $what"; else failed=$((failed + 1)) && echo "FAIL  $what" && return 1; fi
}
within() { # SECONDS COMMAND...
    local until=$(($(date +%s) + $1))
    shift
    until "$@"; do [ "$(date +%s)" -lt $until ] || return 1; sleep 0.05; done
}

# --- the image by itself

confined() { engine run --rm --read-only --read-only-tmpfs=false --cap-drop all --security-opt no-new-privileges --network none "$@"; }
cannot_write() { ! confined --entrypoint touch "$image" /tmp/x 2>/dev/null && ! confined --entrypoint touch "$image" /x 2>/dev/null; }
inventory_is_json() {
    confined --entrypoint cat "$image" /usr/share/doc/streamflow/streamflow.spdx.json |
        python3 -c 'import json, sys; names = {p["name"] for p in json.load(sys.stdin)["packages"]}; sys.exit(not {"timely", "libssl3"} <= names)'
}
user_is_nobody() { [ "$(engine image inspect --format '{{.Config.User}}' "$image")" = 65532:65532 ]; }
nothing_is_missing() { ! confined --entrypoint ldd "$image" /usr/local/bin/streamflow | grep 'not found'; }
says_its_version() { confined "$image" --version | grep -q '^streamflow '; }

# --- pods

start_pod() {
    local said
    said=$(engine play kube --network "$network" --ip "$2" --quiet "$world/pods/$1.yaml" 2>&1) || { echo "$said"; return 1; }
}
container() { engine pod inspect --format '{{range .Containers}}{{.Name}} {{end}}' "$1" | tr ' ' '\n' | grep -v infra | head -1; }
state() { engine inspect --format "{{.State.$2}}" "$(container "$1")"; }
has_ended() { [ "$(state "$1" Status)" = exited ]; }
address() { sed -n "s/^$1 //p" "$world/pods/addresses"; }
is_ready() { [ "$(curl --silent --output /dev/null --max-time 2 --write-out '%{http_code}' "http://$(address "$1"):9464/readyz")" = 200 ]; }
all_ready() { for worker in $workers; do is_ready "$worker" || return 1; done; }
told() { engine logs "$(container "$1")" 2>&1 | tail -8 | sed 's/^/      /'; }

# Starts a pod that does something and ends, and waits for it.
ends_well() {
    engine pod rm --force "$1" >/dev/null 2>&1
    start_pod "$1" "$(address "$1")" && within 300 has_ended "$1" && [ "$(state "$1" ExitCode)" = 0 ] && return
    told "$1"
    return 1
}
stops_well() { engine stop --time 30 "$(container "$1")" >/dev/null && [ "$(state "$1" ExitCode)" = 0 ]; }
start_workers() { for worker in $workers; do start_pod "$worker" "$(address "$worker")" || return 1; done; }
stop_workers() {
    local begun stops=()
    begun=$(date +%s%3N)
    for worker in $workers; do
        engine stop --time 120 "$(container "$worker")" >/dev/null &
        stops+=($!)
    done
    wait "${stops[@]}"
    echo "      SIGTERM to the end of the last one: $(($(date +%s%3N) - begun)) ms"
    for worker in $workers; do
        [ "$(state "$worker" ExitCode)" = 0 ] || { told "$worker"; return 1; }
    done
}
remove_workers() { for worker in $workers; do engine pod rm --force "$worker" >/dev/null; done; }
is_confined() {
    local status
    status=/proc/$(state "$1" Pid)/status
    grep -q '^CapEff:.0000000000000000' "$status" && grep -q '^NoNewPrivs:.1' "$status" && grep -q '^Uid:.65532' "$status"
}

asked() { echo "$1" | sql streamflow; }
committed() { [ "$(asked "SELECT coalesce(sum(events), 0) >= $1 FROM streamflow.books WHERE account = 'read'")" = t ]; }
books_balance() {
    [ "$(asked "SELECT bool_and(r = e) FROM (SELECT sum(events) FILTER (WHERE account = 'read') AS r,
                sum(events) FILTER (WHERE account <> 'read') AS e FROM streamflow.books GROUP BY topic) AS t")" = t ]
}
traffic() {
    printf 'kafka: {brokers: ["%s"]}\n' "$broker" >"$world/traffic.yaml"
    engine run --rm --network host --volume "$world/traffic.yaml:/traffic.yaml:ro" "$image" generate --config /traffic.yaml \
        --rate 500 --customers 500 --count "$1" >/dev/null 2>&1
}
milliseconds_from_start() {
    local started
    started=$(date -d "$(engine inspect --format '{{.State.StartedAt.Format "2006-01-02T15:04:05.000Z07:00"}}' "$(container "$1")")" +%s%3N)
    echo "      start of $1 to /readyz of all: $(($(date +%s%3N) - started)) ms"
}

overlay() { # NAME DIRECTORY
    world=$work/world-$1
    stop_world
    mkdir -p "$world/pods"
    "$kustomize" build "$2" >"$world/overlay.yaml" || return 1
    start_world || return 1
    "$python" scripts/image/pods.py "$world/overlay.yaml" "$image" $subnet "$world/secrets" "$world/pods" >"$world/pods/addresses" ||
        return 1
    workers=$(grep -o '^streamflow-worker-[0-9]*' "$world/pods/addresses" | tr '\n' ' ')

    # What comes after these makes no sense without them.
    check "$1: the migration ends well" ends_well streamflow-migrate || return 0
    check "$1: workers start ($workers)" start_workers || return 0
    check "$1: all get ready" within 120 all_ready || { for worker in $workers; do told "$worker"; done && return 0; }
    milliseconds_from_start "${workers%% *}"
    check "$1: a worker is confined" is_confined "${workers%% *}"
    check "$1: traffic" traffic 3000
    check "$1: it is committed" within 120 committed 3000
    if grep -q '^streamflow-generator ' "$world/pods/addresses"; then
        check "$1: the generator starts" start_pod streamflow-generator "$(address streamflow-generator)"
        check "$1: what it sends is committed" within 120 committed 14000
        check "$1: SIGTERM ends it well" stops_well streamflow-generator
    fi
    check "$1: maintenance beside them ends well" ends_well streamflow-maintain
    if grep -q '^streamflow-verify ' "$world/pods/addresses"; then
        check "$1: verification with rights of its own ends well" ends_well streamflow-verify
    fi
    check "$1: SIGTERM ends all well" stop_workers
    check "$1: the books balance" books_balance
    remove_workers
    check "$1: all start again" start_workers
    check "$1: and get ready" within 120 all_ready || for worker in $workers; do told "$worker"; done
}

world=$work/world
trap 'stop_world' EXIT
"$python" -c 'import confluent_kafka, yaml' 2>/dev/null || {
    python3 -m venv "$work/venv" && "$python" -m pip install --quiet --requirement scripts/image/requirements.txt
} || fail "pip could not install what scripts/image/requirements.txt names"

check "the user is nobody" user_is_nobody
check "it starts without rights" says_its_version
check "no file can be written" cannot_write
check "no library is missing" nothing_is_missing
check "it carries its inventory" inventory_is_json
echo "      size: $(($(engine image inspect --format '{{.Size}}' "$image") / 1000000)) MB," \
    "binary $(($(confined --entrypoint stat "$image" --format=%s /usr/local/bin/streamflow) / 1000000)) MB"
for directory in "$k8s/overlays/dev" "$k8s/overlays/prod" scripts/manifests/parties; do
    environment=$(basename "$directory")
    overlay "$environment" "$directory" || check "$environment: Kafka and PostgreSQL start" false
    stop_world
done

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
