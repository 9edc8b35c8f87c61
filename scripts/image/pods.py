#!/usr/bin/env python3
"""Makes pods that `podman play kube` starts of an overlay's pod templates, as Kubernetes would.

usage: pods.py RENDERED_OVERLAY IMAGE NETWORK_PREFIX SECRETS_DIRECTORY OUTPUT_DIRECTORY

One file a pod, named as the pod; prints `POD ADDRESS`, a line each. Workers have the addresses from PREFIX.10 on. What podman does
not know is put in place here: ConfigMaps and Secrets as directories (with the pod's group and mode), names of services as entries of
/etc/hosts (Kafka and PostgreSQL are PREFIX.1), the pod's name in its environment. Probes are asked by the test, scheduling and
service accounts have no meaning.
"""

import os
import sys

import yaml

SERVICES = ["streamflow-kafka-bootstrap", "streamflow-postgres-rw"]
FOREIGN = ("serviceAccountName", "automountServiceAccountToken", "enableServiceLinks", "topologySpreadConstraints")
# podman would publish ports on the machine, and there are several workers.
NOT_HERE = ("startupProbe", "livenessProbe", "readinessProbe", "ports")


class Pods:
    """The pods of an overlay."""

    def __init__(self, manifests, image, prefix, secrets, out):
        self.manifests = {(manifest["kind"], manifest["metadata"]["name"]): manifest for manifest in manifests}
        self.image, self.prefix, self.secrets, self.out = image, prefix, secrets, out
        self.workers = self.manifests["StatefulSet", "streamflow-worker"]["spec"]

    def all(self):
        """Name, address and template of each pod."""
        for number in range(self.workers["replicas"]):
            yield f"streamflow-worker-{number}", 10 + number, self.workers["template"]
        for place, ((kind, name), manifest) in enumerate(self.manifests.items()):
            spec = manifest.get("spec", {})
            if kind in ("Job", "Deployment"):
                yield name, 50 + place, spec["template"]
            elif kind == "CronJob":
                yield name, 50 + place, spec["jobTemplate"]["spec"]["template"]

    def write(self, name, template):
        spec = {key: value for key, value in template["spec"].items() if key not in FOREIGN}
        group = spec["securityContext"].pop("fsGroup")
        spec["volumes"] = [self.volume(name, volume, group) for volume in spec["volumes"]]
        spec["hostAliases"] = self.aliases()
        # What ends has ended: the test looks at how.
        spec["restartPolicy"] = "Never"
        for container in spec["containers"]:
            container["image"] = self.image
            container["env"] = [self.variable(name, entry) for entry in container.get("env", [])]
            for key in NOT_HERE:
                container.pop(key, None)
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": template["metadata"]["labels"]}, "spec": spec}
        with open(os.path.join(self.out, f"{name}.yaml"), "w", encoding="utf-8") as file:
            yaml.safe_dump(pod, file)

    def aliases(self):
        service = self.workers["serviceName"]
        workers = range(self.workers["replicas"])
        return [{"ip": f"{self.prefix}.1", "hostnames": SERVICES}] + [
            {"ip": f"{self.prefix}.{10 + number}", "hostnames": [f"streamflow-worker-{number}.{service}"]} for number in workers
        ]

    def variable(self, name, entry):
        path = entry.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
        if path is None:
            return entry
        if path != "metadata.name":
            raise SystemExit(f"{name}: {path} is not known here")
        return {"name": entry["name"], "value": name}

    def volume(self, pod, volume, group):
        directory = os.path.join(self.out, "volumes", pod, volume["name"])
        os.makedirs(directory, exist_ok=True)
        mode = volume.get("projected", {}).get("defaultMode", 0o644)
        for path, content in self.files(volume):
            path = os.path.join(directory, path)
            with open(path, "wb") as file:
                file.write(content)
            os.chown(path, 0, group)
            os.chmod(path, mode)
        return {"name": volume["name"], "hostPath": {"path": directory, "type": "Directory"}}

    def files(self, volume):
        if "configMap" in volume:
            data = self.manifests["ConfigMap", volume["configMap"]["name"]]["data"]
            yield from ((name, text.encode()) for name, text in data.items())
        for source in volume.get("projected", {}).get("sources", []):
            for item in source["secret"]["items"]:
                with open(os.path.join(self.secrets, source["secret"]["name"], item["key"]), "rb") as file:
                    yield item["path"], file.read()


def main():
    overlay, image, prefix, secrets, out = sys.argv[1:]
    with open(overlay, encoding="utf-8") as file:
        pods = Pods(list(yaml.safe_load_all(file)), image, prefix, secrets, out)
    for name, address, template in pods.all():
        pods.write(name, yaml.safe_load(yaml.safe_dump(template)))
        print(name, f"{prefix}.{address}")


if __name__ == "__main__":
    main()
