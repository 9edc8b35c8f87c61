#!/bin/sh
# Applies an overlay and waits until the workers commit.
# environment: KUBECONFIG; OVERLAY, its directory; NAMESPACE. Safe to run again, also by hand.
set -eu

# What somebody has to give, a line each: NAMESPACE SECRET KEY. Without it pods would wait, or alerts reach nobody, without a word.
grep -v '^#' "$OVERLAY/required-secrets.txt" | while read -r namespace secret key; do
    has=$(kubectl --namespace "$namespace" get secret "$secret" --ignore-not-found \
        --output "go-template={{with .data}}{{with index . \"$key\"}}yes{{end}}{{end}}" </dev/null)
    [ -n "$has" ] || { echo "Secret $secret of namespace $namespace lacks $key; nothing is applied: see k8s/README.md#secrets" >&2; exit 1; }
done

# A job cannot be changed, and this one may run any number of times.
kubectl --namespace "$NAMESPACE" delete job streamflow-migrate --ignore-not-found
kubectl apply --server-side --kustomize "$OVERLAY"

# Where the cluster lacks the feature gate, or no worker was Ready, workers of the old kind stay; workers of two kinds are no pipeline.
workers() { kubectl --namespace "$NAMESPACE" get statefulset streamflow-worker --output "jsonpath={$1}"; }
kubectl --namespace "$NAMESPACE" wait --timeout=1m --for="jsonpath={.status.observedGeneration}=$(workers .metadata.generation)" \
    statefulset/streamflow-worker
kubectl --namespace "$NAMESPACE" delete pods --wait=false \
    --selector "app.kubernetes.io/component=worker,controller-revision-hash,controller-revision-hash!=$(workers .status.updateRevision)"

kubectl --namespace "$NAMESPACE" wait --timeout=20m --for=condition=Ready kafka/streamflow cluster.postgresql.cnpg.io/streamflow-postgres
kubectl --namespace "$NAMESPACE" wait --timeout=10m --for=condition=Complete job/streamflow-migrate
kubectl --namespace "$NAMESPACE" rollout status statefulset/streamflow-worker --timeout=10m
