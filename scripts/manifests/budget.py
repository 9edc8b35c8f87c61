#!/usr/bin/env python3
"""Adds up what an environment asks for, and fails where it is more memory than allowed.

usage: budget.py LIMIT_MIB RENDERED_OVERLAY ENVIRONMENT_DIRECTORY

Counted are the rendered workloads with all their copies, jobs as if all ran at once; the pods that operators make of Kafka,
KafkaNodePool and Cluster; the operators and the monitoring themselves, from the values in ENVIRONMENT_DIRECTORY; and what
K3s runs as pods. A container that asks for nothing is an error: the scheduler would not count it.
"""

import os
import re
import sys
from dataclasses import dataclass

from schemas import documents

# Containers of each chart: where its values hold their resources, and how many containers use them.
CHARTS = {
    "strimzi-kafka": {"": 1},
    "cloudnativepg": {"": 1},
    "monitoring": {
        "prometheusOperator": 1,
        "prometheusOperator.prometheusConfigReloader": 1,
        "prometheus.prometheusSpec": 1,
        "grafana": 1,
        # One loads dashboards, one data sources.
        "grafana.sidecar": 2,
        "kube-state-metrics": 1,
        "prometheus-node-exporter": 1,
    },
}
# Pods of K3s 1.35 itself: millicores and MiB; its local-path provisioner asks for nothing.
K3S = {"coredns": (100, 70), "metrics-server": (100, 70)}
UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


@dataclass
class Line:
    """What one kind of pod asks for."""

    name: str
    copies: int
    millicores: float
    mib: float


class Unbounded(Exception):
    """A container without a request, or a limit, for memory."""


def mib(quantity):
    number, unit = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(quantity)).groups()
    return float(number) * UNITS[unit] / 2**20


def millicores(quantity):
    text = str(quantity)
    return float(text[:-1]) if text.endswith("m") else float(text) * 1000


def line(name, copies, resources):
    requests, limits = resources.get("requests", {}), resources.get("limits", {})
    if "memory" not in requests or "memory" not in limits:
        raise Unbounded(f"{name}: a request and a limit for memory are needed")
    return Line(name, copies, millicores(requests.get("cpu", 0)), mib(requests["memory"]))


def lines_of(manifest):
    """What an object and the pods made of it ask for."""
    kind, name, spec = manifest["kind"], manifest["metadata"]["name"], manifest.get("spec", {})
    if kind in ("StatefulSet", "Deployment"):
        return pods(f"{kind} {name}", spec.get("replicas", 1), spec["template"])
    if kind == "Job":
        return pods(f"{kind} {name}", spec.get("parallelism", 1), spec["template"])
    if kind == "CronJob":
        return pods(f"{kind} {name}", 1, spec["jobTemplate"]["spec"]["template"])
    if kind == "KafkaNodePool":
        return [line(f"{kind} {name}", spec["replicas"], spec.get("resources", {}))]
    if kind == "Kafka":
        parts = spec.get("entityOperator", {})
        names = [part for part in ("topicOperator", "userOperator") if part in parts]
        return [line(f"{kind} {name} {part}", 1, parts[part].get("resources", {})) for part in names]
    if kind == "Cluster":
        return [line(f"{kind} {name}", spec["instances"], spec.get("resources", {}))]
    return []


def pods(name, copies, template):
    containers = template["spec"].get("initContainers", []) + template["spec"]["containers"]
    return [line(f"{name} {container['name']}", copies, container.get("resources", {})) for container in containers]


def chart_lines(environment):
    for unit, places in CHARTS.items():
        (values,) = documents(os.path.join(environment, unit, "values.yaml"))
        for place, copies in places.items():
            node = values
            for key in filter(None, place.split(".")):
                node = node.get(key, {})
            yield line(f"{unit} {place}".strip(), copies, node.get("resources", {}))


def table(lines, limit_mib):
    """Prints the lines and their sum; returns the sum, MiB."""
    total = sum(entry.copies * entry.mib for entry in lines)
    cores = sum(entry.copies * entry.millicores for entry in lines)
    print(f"{'':56} copies  cpu each  MiB each      MiB")
    for entry in lines:
        print(f"{entry.name:56} {entry.copies:6} {entry.millicores:8.0f}m {entry.mib:9.0f} {entry.copies * entry.mib:8.0f}")
    print(f"{'requested in all':56} {'':6} {cores:8.0f}m {'':9} {total:8.0f} of {limit_mib}")
    return total


def collect(overlay, environment):
    lines = [entry for manifest in documents(overlay) for entry in lines_of(manifest)]
    k3s = [Line(f"k3s {name}", 1, millicores_, mib_) for name, (millicores_, mib_) in K3S.items()]
    return lines + list(chart_lines(environment)) + k3s


def main():
    limit_mib, overlay, environment = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    try:
        total = table(collect(overlay, environment), limit_mib)
    except Unbounded as error:
        sys.exit(str(error))
    if total > limit_mib:
        print(f"{total:.0f} MiB are requested, {limit_mib} are there", file=sys.stderr)
    return 1 if total > limit_mib else 0


if __name__ == "__main__":
    sys.exit(main())
