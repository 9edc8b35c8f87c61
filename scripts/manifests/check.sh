#!/bin/sh
# Checks everything that is deployed: the overlays of k8s/, the modules and environments of infra/, docker-compose.yaml; and that what
# others made is named exactly.
#
# Fetches its tools once, by pip and go, into ~/.cache/streamflow/manifests. STREAMFLOW_CRDS names the directory with the
# CustomResourceDefinitions (see validate.py; ../shared/crds where that is there). Where providers of Terraform cannot be fetched,
# mirror.sh can build them. The last line on standard output is "N passed, N failed".
set -u
cd "$(dirname "$0")/../.." || exit 1

KUBERNETES=1.35         # that of K3s in infra/modules/k3s-node/variables.tf
KUSTOMIZE=v5.8.1
NODE_MIB=4096           # what the dev overlay may ask for in all

here=scripts/manifests
[ -n "${STREAMFLOW_CRDS:-}" ] || [ ! -d ../shared/crds ] || STREAMFLOW_CRDS=../shared/crds
export STREAMFLOW_CRDS="${STREAMFLOW_CRDS:-}"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/streamflow/manifests
python=$cache/venv/bin/python
kustomize=$cache/kustomize-$KUSTOMIZE
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
export PYTHONDONTWRITEBYTECODE=1
passed=0
failed=0

has() { command -v "$1" >/dev/null 2>&1; }
check() {
    echo "+ $*"
    if "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED: $*" >&2; fi
}

fetch_tools() {
    mkdir -p "$cache"
    if ! cmp -s $here/requirements.txt "$cache/venv/requirements.txt"; then
        rm -rf "$cache/venv"
        python3 -m venv "$cache/venv" && "$python" -m pip install --quiet --requirement $here/requirements.txt &&
            cp $here/requirements.txt "$cache/venv/" || return 1
    fi
    [ -x "$kustomize" ] && return
    has go || { echo "go is missing: it builds kustomize $KUSTOMIZE" >&2; return 1; }
    GOBIN=$cache/bin GOFLAGS='' go install "sigs.k8s.io/kustomize/kustomize/v5@$KUSTOMIZE" && mv "$cache/bin/kustomize" "$kustomize"
}

render() { "$kustomize" build "$1" >"$out/$2.yaml" && [ -s "$out/$2.yaml" ]; }

versions_agree() { grep -q "\"v$KUBERNETES\.[0-9]*+k3s[0-9]*\"" infra/modules/k3s-node/variables.tf; }

applications_have_their_overlays() {
    for file in k8s/argocd/*.yaml; do
        path=$(sed -n 's/^    path: //p' "$file")
        if [ -z "$path" ] || [ ! -f "$path/kustomization.yaml" ]; then echo "$file: no overlay $path" >&2; return 1; fi
    done
}

# Terraform, or OpenTofu in its place. In a copy: both leave files behind where they run.
terraform_checks() {
    terraform=$(command -v terraform || command -v tofu) || { echo "no terraform or tofu here: infra/ is parsed only"; return; }
    check "$terraform" fmt -check -recursive infra
    cp -r infra k8s "$out/"
    for inputs in "$out"/infra/modules/*/tests/inputs; do
        # What variables refuse can be tried without providers: they alone are a module, too.
        alone=$out/inputs/$(basename "$(dirname "$(dirname "$inputs")")")
        mkdir -p "$alone/tests"
        cp "$inputs"/../../variables.tf "$alone/"
        cp "$inputs"/*.tftest.hcl "$alone/tests/"
        "$terraform" -chdir="$alone" init -backend=false -input=false >"$out/init.log" 2>&1 || cat "$out/init.log" >&2
        check "$terraform" -chdir="$alone" test
    done
    for module in "$out"/infra/modules/*; do
        if ! (cd "$module" && "$terraform" init -backend=false -input=false) >"$out/init.log" 2>&1; then
            # Only what was not tried is passed over: a mistake in the module itself is not.
            if grep -q -i "could not connect\|failed to query available provider packages\|failed to retrieve" "$out/init.log"; then
                echo "$(basename "$module"): its providers cannot be fetched here; it is parsed only"
            else
                cat "$out/init.log" >&2
                check false "$terraform init in $(basename "$module")"
            fi
            continue
        fi
        check "$terraform" -chdir="$module" validate
        [ ! -d "$module/tests" ] || check "$terraform" -chdir="$module" test
    done
}

if ! fetch_tools; then echo "0 passed, 1 failed"; exit 1; fi
check versions_agree
check applications_have_their_overlays
# An overlay, by the directory that it is rendered from and the environment that applies it.
check_overlay() {
    name=$(basename "$1")
    check render "$1" "$name"
    check "$python" $here/validate.py $KUBERNETES "$out/$name.yaml"
    check "$python" $here/references.py "$out/$name.yaml" config/streamflow.yaml infra "$1/required-secrets.txt" infra/environments/"$2"
}
check_overlay k8s/overlays/dev dev
check_overlay k8s/overlays/prod prod
check_overlay $here/parties dev
check "$python" $here/budget.py $NODE_MIB "$out/dev.yaml" infra/environments/dev
check "$python" $here/infra.py infra
check "$python" $here/supply.py .
check "$python" $here/selftest.py $KUBERNETES "$out/dev.yaml" config/streamflow.yaml infra infra/environments/dev "$out/parties.yaml"
check "$python" $here/scripttest.py infra
terraform_checks
if has terragrunt; then
    for environment in dev prod; do check terragrunt dag graph --working-dir infra/environments/$environment; done
fi
if docker compose version >/dev/null 2>&1; then
    check env OWNER_PASSWORD=x WORKER_PASSWORD=x docker compose config --quiet
fi

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
