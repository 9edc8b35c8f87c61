#!/usr/bin/env python3
"""Checks what no schema knows: that the objects of an overlay fit together, and fit the program's configuration.

usage: references.py RENDERED_OVERLAY PROGRAM_CONFIGURATION INFRA_DIRECTORY REQUIRED_SECRETS ENVIRONMENT_DIRECTORY

REQUIRED_SECRETS is the overlay's list of what somebody has to give, ENVIRONMENT_DIRECTORY the environment of infra/ that gives it.
"""

import os
import sys
from dataclasses import dataclass

import yaml

import budget
import infra
import rights
from rights import selects
from schemas import documents


@dataclass
class Overlay:
    """The objects of a rendered overlay, by kind and name."""

    objects: dict

    def all(self, kind):
        return {name: manifest for (of, name), manifest in self.objects.items() if of == kind}

    def pods(self):
        """The pod templates, by what makes them."""
        found = {}
        for (kind, name), manifest in self.objects.items():
            spec = manifest.get("spec", {})
            template = spec.get("jobTemplate", {}).get("spec", spec).get("template") if kind != "KafkaNodePool" else None
            if template:
                found[f"{kind} {name}"] = template
        return found


def read(path):
    return Overlay({(manifest["kind"], manifest["metadata"]["name"]): manifest for manifest in documents(path)})


def secrets(overlay, infra_directory):
    """The Secrets that there will be: made by operators, and by infra/."""
    made = infra.secrets(os.path.join(infra_directory, "modules", "streamflow"))
    made |= set(overlay.all("KafkaUser"))
    made |= {f"{name}-cluster-ca-cert" for name in overlay.all("Kafka")}
    return made | {f"{name}-{suffix}" for name in overlay.all("Cluster") for suffix in ("ca", "app")}


def named(node, key):
    """All names that objects under `key` hold, anywhere below a node."""
    if isinstance(node, dict):
        if isinstance(node.get(key), dict) and "name" in node[key]:
            yield node[key]["name"]
        for value in node.values():
            yield from named(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from named(value, key)


def check_names(overlay, infra_directory):
    known = secrets(overlay, infra_directory)
    for owner, pod in overlay.pods().items():
        for name in named(pod, "secret"):
            yield name in known, f"{owner}: nobody makes Secret {name}"
        for name in named(pod, "configMap"):
            yield ("ConfigMap", name) in overlay.objects, f"{owner}: no ConfigMap {name}"
        account = pod["spec"].get("serviceAccountName")
        yield ("ServiceAccount", account) in overlay.objects, f"{owner}: no ServiceAccount {account}"
    for manifest in overlay.objects.values():
        where = f"{manifest['kind']} {manifest['metadata']['name']}"
        for key in ("passwordSecret", "accessKeyId", "secretAccessKey", "region"):
            for name in named(manifest, key):
                yield name in known, f"{where}: nobody makes Secret {name}"
        if manifest["kind"] in ("DatabaseRole", "ScheduledBackup"):
            for name in named(manifest["spec"], "cluster"):
                yield ("Cluster", name) in overlay.objects, f"{where}: no Cluster {name}"
        kafka = manifest["metadata"].get("labels", {}).get("strimzi.io/cluster")
        if kafka:
            yield ("Kafka", kafka) in overlay.objects, f"{where}: no Kafka {kafka}"


def check_required(overlay, infra_directory, required, environment):
    """The list of Secrets that somebody has to give names those that objects refer to and no operator makes, with their keys."""
    given = infra.secrets(os.path.join(infra_directory, "modules", "streamflow"))
    wanted = {("streamflow", name, key) for manifest in overlay.objects.values() for name, key in keys_of_secrets(manifest) if name in given}
    if infra.read_environment(environment).get("has_alerting"):
        wanted |= {("monitoring", name, "alertmanager.yaml") for name in infra.secrets(os.path.join(infra_directory, "modules", "monitoring"))}
    for line in sorted(wanted | required):
        yield line in required, f"required-secrets.txt lacks {' '.join(line)}"
        yield line in wanted, f"required-secrets.txt: nobody needs {' '.join(line)}"


def keys_of_secrets(node):
    """Name and key of each Secret that is referred to anywhere below a node."""
    if isinstance(node, dict):
        secret = node.get("secret")
        if isinstance(secret, dict):
            yield from ((secret["name"], item["key"]) for item in secret.get("items", []) if "name" in secret)
        if "passwordSecret" in node:
            yield node["passwordSecret"]["name"], "password"
        if {"name", "key"} <= set(node) and isinstance(node["key"], str):
            yield node["name"], node["key"]
        for value in node.values():
            yield from keys_of_secrets(value)
    elif isinstance(node, list):
        for value in node:
            yield from keys_of_secrets(value)


def read_required(path):
    """The lines of a list of required Secrets: namespace, Secret, key."""
    with open(path, encoding="utf-8") as file:
        return {tuple(line.split()) for line in file if line.strip() and not line.startswith("#")}


def check_cluster(overlay, configuration):
    """The workers' configuration against the objects that it names."""
    worker = overlay.objects["StatefulSet", "streamflow-worker"]
    spec = worker["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    name_from = {entry["name"]: entry.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath") for entry in container["env"]}
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    service = configuration["cluster"]["service"]
    postgres = {f"{name}-rw" for name in overlay.all("Cluster")}
    brokers = {
        f"{name}-kafka-bootstrap:{listener['port']}"
        for name, kafka in overlay.all("Kafka").items()
        for listener in kafka["spec"]["kafka"]["listeners"]
    }
    headless = overlay.objects.get(("Service", service), {"spec": {}})["spec"]
    yield service == spec["serviceName"] and headless.get("clusterIP") == "None", f"no headless service {service}"
    # Workers count the names that resolve, before any of them is ready, and need each other to get ready.
    yield headless.get("publishNotReadyAddresses") is True, f"Service {service} hides workers that are not ready"
    yield selects({"matchLabels": headless.get("selector", {})}, spec["template"]["metadata"]["labels"]), f"Service {service} has no worker"
    yield name_from.get("POD_NAME") == "metadata.name", "workers do not know their names: POD_NAME"
    yield spec.get("podManagementPolicy") == "Parallel", "workers start one after the other, and the first waits for the second"
    yield spec["updateStrategy"]["rollingUpdate"].get("maxUnavailable") == "100%", "an update would wait for workers of two builds to work together"
    yield configuration["cluster"]["port"] == ports["timely"], "cluster.port is not the container's"
    yield configuration["metrics"]["listen"].endswith(f":{ports['metrics']}"), "metrics.listen is not the container's port"
    yield set(configuration["postgres"]["hosts"]) <= postgres, f"postgres.hosts: there is {postgres}"
    yield set(configuration["kafka"]["brokers"]) <= brokers, f"kafka.brokers: there is {brokers}"
    yield ("KafkaUser", configuration["kafka"]["username"]) in overlay.objects, "kafka.username is no KafkaUser"


def mounted(pod):
    """Paths of all files that a pod gets by name from Secrets and ConfigMaps, in its first container."""
    (container, *_) = pod["spec"]["containers"]
    places = {mount["name"]: mount["mountPath"] for mount in container.get("volumeMounts", [])}
    for volume in pod["spec"].get("volumes", []):
        for source in volume.get("projected", {}).get("sources", []):
            for item in source.get("secret", {}).get("items", []):
                yield os.path.join(places.get(volume["name"], ""), item["path"])


def check_files(overlay, configuration):
    """The workers have the files that their configuration names, and prove to each other that they are the workers."""
    files = set(mounted(overlay.objects["StatefulSet", "streamflow-worker"]["spec"]["template"]))
    yield "password_file" in configuration["cluster"], "whoever reaches cluster.port can end the workers: cluster.password_file"
    for section in ("cluster", "kafka", "postgres"):
        for key in ("password_file", "tls_ca_file"):
            path = configuration[section].get(key)
            yield path is None or path in files, f"{section}.{key}: workers have no {path}"


def constraints(overlay):
    """How pods that somebody makes of a manifest are spread: what makes them, and each constraint."""
    for owner, pod in overlay.pods().items():
        for constraint in pod["spec"].get("topologySpreadConstraints", []):
            yield owner, constraint
    for name, pool in overlay.all("KafkaNodePool").items():
        for constraint in pool["spec"].get("template", {}).get("pod", {}).get("topologySpreadConstraints", []):
            yield f"KafkaNodePool {name}", constraint
    for name, cluster in overlay.all("Cluster").items():
        for constraint in cluster["spec"].get("topologySpreadConstraints", []):
            yield f"Cluster {name}", constraint


def check_drains(overlay):
    """Pods are on nodes of their own, those of a drained node find another one, and a drain takes one at a time."""
    for owner, constraint in constraints(overlay):
        strict = constraint["whenUnsatisfiable"] == "DoNotSchedule"
        # All workers wait for one that is not scheduled; a copy of data may have to wait for a node that takes it.
        if owner.startswith("StatefulSet"):
            yield not strict, f"{owner}: all wait for a worker that no node may take"
        yield not strict or constraint.get("nodeTaintsPolicy") == "Honor", f"{owner}: what was on a drained node waits until it is back"
    spread = {owner for owner, _ in constraints(overlay)}
    copies = {f"{kind} {name}": manifest["spec"].get("replicas", manifest["spec"].get("instances", 1))
              for (kind, name), manifest in overlay.objects.items() if kind in ("StatefulSet", "KafkaNodePool", "Cluster")}
    for owner, count in copies.items():
        yield count == 1 or owner in spread, f"{owner}: nothing keeps its {count} pods apart"
    for name, cluster in overlay.all("Cluster").items():
        required = cluster["spec"].get("affinity", {}).get("podAntiAffinityType") == "required"
        yield not required, f"Cluster {name}: required anti-affinity counts drained nodes"
    worker = overlay.objects["StatefulSet", "streamflow-worker"]["spec"]["template"]["metadata"]["labels"]
    budgets = [budget_["spec"] for budget_ in overlay.all("PodDisruptionBudget").values()]
    one = any(selects(spec["selector"], worker) and spec.get("maxUnavailable") == 1 for spec in budgets)
    yield one, "no PodDisruptionBudget lets a drain take one worker at a time"


def check_memory(overlay, program, configuration):
    """A worker stops reading before the kernel ends it."""
    (container,) = overlay.objects["StatefulSet", "streamflow-worker"]["spec"]["template"]["spec"]["containers"]
    allowed = program["pipeline"] | configuration.get("pipeline", {})
    sets = [argument.removeprefix("--set=").split("=", 1) for argument in container["args"] if argument.startswith("--set=")]
    limit = int(dict(sets).get("pipeline.memory_limit_mib", allowed["memory_limit_mib"]))
    most = budget.mib(container["resources"]["limits"]["memory"])
    yield 0.5 * most <= limit <= 0.85 * most, f"pipeline.memory_limit_mib = {limit} is not some 80 % of the container's {most:.0f} MiB"


def check_topics(overlay, topics):
    """All topics that the program names are there, with what it relies on, and its user may use them."""
    read_ = [*topics["transactions"], topics["customers"], topics["stores"], topics["products"], topics["blacklist"]]
    written = [topics["alerts"], topics["metrics"], topics["dead_letters"], topics["progress"], topics["clock"]]
    compacted = {*read_, topics["progress"]} - set(topics["transactions"])
    acls = overlay.objects["KafkaUser", "streamflow"]["spec"]["authorization"]["acls"]
    allowed = {acl["resource"]["name"]: set(acl["operations"]) for acl in acls if acl["resource"]["type"] == "topic"}
    for name in [*read_, *written]:
        topic = overlay.all("KafkaTopic").get(name)
        yield topic is not None, f"no KafkaTopic {name}"
        config = topic["spec"].get("config", {}) if topic else {}
        if name in [*read_, topics["clock"]]:
            yield config.get("message.timestamp.type") == "LogAppendTime", f"KafkaTopic {name} lacks the broker's clock"
        yield (config.get("cleanup.policy") == "compact") == (name in compacted), f"KafkaTopic {name}: cleanup.policy"
        yield {"Describe", "Read" if name in read_ else "Write"} <= allowed.get(name, set()), f"no right to use {name}"


def check_policies(overlay):
    """Each policy selects somebody, and each port that a pod has is one that a policy lets in."""
    labels = [pod["metadata"]["labels"] for pod in overlay.pods().values()]
    labels += [{"cnpg.io/cluster": name} for name in overlay.all("Cluster")]
    labels += [{"strimzi.io/cluster": name, "strimzi.io/name": f"{name}-kafka"} for name in overlay.all("Kafka")]
    for name, policy in overlay.all("NetworkPolicy").items():
        spec = policy["spec"]
        own = [peer["podSelector"] for rules in (spec.get("ingress", []), spec.get("egress", [])) for rule in rules
               for peer in [*rule.get("from", []), *rule.get("to", [])] if "namespaceSelector" not in peer]
        for selector in [spec["podSelector"], *own]:
            yield any(selects(selector, pod) for pod in labels), f"NetworkPolicy {name}: no pod has {selector}"
    yield ("NetworkPolicy", "default-deny") in overlay.objects, "no NetworkPolicy default-deny"
    for owner, pod in overlay.pods().items():
        for container in pod["spec"]["containers"]:
            for port in container.get("ports", []):
                reachable = lets_in(overlay, pod["metadata"]["labels"], port["containerPort"])
                yield reachable, f"{owner}: no NetworkPolicy lets anybody reach port {port['name']}"


def lets_in(overlay, labels, port):
    policies = [policy["spec"] for policy in overlay.all("NetworkPolicy").values()]
    return any(
        selects(policy["podSelector"], labels) and any(port == allowed["port"] for allowed in rule["ports"])
        for policy in policies
        for rule in policy.get("ingress", [])
    )


def check_security(overlay):
    """What the namespace's pod security level asks for, and more: a read-only file system, no token."""
    for owner, pod in overlay.pods().items():
        spec = pod["spec"]
        of_pod = spec.get("securityContext", {})
        numeric = isinstance(of_pod.get("runAsUser"), int) and of_pod["runAsUser"] > 0
        yield of_pod.get("runAsNonRoot") and numeric, f"{owner} may run as root"
        yield of_pod.get("seccompProfile") == {"type": "RuntimeDefault"}, f"{owner} has no seccomp profile"
        yield spec.get("automountServiceAccountToken") is False, f"{owner} gets a token"
        for container in spec["containers"]:
            expected = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
            yield container.get("securityContext") == expected, f"{owner}: securityContext of {container['name']}"


def check(overlay, program, infra_directory):
    """Yields (holds, what is wrong where it does not)."""
    (name,) = [name for name in overlay.all("ConfigMap") if name.startswith("streamflow-config")]
    configuration = yaml.safe_load(overlay.objects["ConfigMap", name]["data"]["streamflow.yaml"])
    yield from check_names(overlay, infra_directory)
    yield from check_cluster(overlay, configuration)
    yield from check_files(overlay, configuration)
    yield from check_drains(overlay)
    yield from check_memory(overlay, program, configuration)
    topics = program["topics"] | configuration.get("topics", {})
    yield from check_topics(overlay, topics)
    yield from rights.check(overlay, topics, infra.passwords(os.path.join(infra_directory, "modules", "streamflow")))
    yield from check_policies(overlay)
    yield from check_security(overlay)


def main():
    path, program, infra_directory, required, environment = sys.argv[1:]
    overlay = read(path)
    with open(program, encoding="utf-8") as file:
        outcomes = list(check(overlay, yaml.safe_load(file), infra_directory))
    outcomes += check_required(overlay, infra_directory, read_required(required), environment)
    wrong = [problem for holds, problem in outcomes if not holds]
    for problem in wrong:
        print(f"{os.path.basename(path)}: {problem}", file=sys.stderr)
    print(f"{os.path.basename(path)}: {len(outcomes)} references and rules checked, {len(wrong)} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
