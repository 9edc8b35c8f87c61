#!/usr/bin/env python3
"""Shows that the checks find what is wrong: each test breaks something that is right and expects to be told.

usage: selftest.py KUBERNETES_VERSION RENDERED_OVERLAY PROGRAM_CONFIGURATION INFRA_DIRECTORY DEV_ENVIRONMENT RENDERED_PARTIES

RENDERED_PARTIES is the overlay with all components.
"""

import contextlib
import copy
import io
import os
import re
import shutil
import sys
import tempfile
import unittest

import yaml

import budget
import infra
import references
import supply
from schemas import Schemas, documents

VERSION, OVERLAY, PROGRAM, INFRA, ENVIRONMENT, PARTIES = sys.argv[1:]

DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: kettles.example.com}
spec:
  group: example.com
  names: {kind: Kettle}
  versions:
    - name: v1
      served: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              required: [litres]
              x-kubernetes-validations:
                - {rule: self.litres <= self.most, message: it boils over}
              properties:
                litres: {type: integer}
                most: {type: integer, default: 2}
                any: {type: object, x-kubernetes-preserve-unknown-fields: true}
    - name: v1alpha1
      served: false
      schema:
        openAPIV3Schema: {type: object, properties: {}}
"""


def kettle(version="v1", **spec):
    return {"apiVersion": f"example.com/{version}", "kind": "Kettle", "metadata": {"name": "kettle"}, "spec": spec}


class CustomObjects(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        directory = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, directory)
        with open(os.path.join(directory, "kettle.yaml"), "w", encoding="utf-8") as file:
            file.write(DEFINITION)
        cls.schemas = Schemas(directory, VERSION)

    def wrong(self, manifest, words):
        self.assertIn(words, " ".join(self.schemas.errors(manifest)))

    def test_a_right_one(self):
        self.assertEqual(self.schemas.errors(kettle(litres=2, any={"thing": 1})), [])

    def test_an_unknown_field(self):
        self.wrong(kettle(litres=1, colour="red"), "colour")

    def test_a_wrong_type(self):
        self.wrong(kettle(litres="one"), "integer")

    def test_a_missing_field(self):
        self.wrong(kettle(), "litres")

    def test_a_rule_with_a_default(self):
        self.wrong(kettle(litres=3), "boils over")

    def test_unknown_metadata(self):
        self.wrong(kettle(litres=1) | {"metadata": {"name": "kettle", "lables": {}}}, "lables")

    def test_a_version_that_is_not_served(self):
        self.wrong(kettle("v1alpha1"), "not served")

    def test_an_unknown_kind(self):
        self.wrong(kettle(litres=1) | {"kind": "Teapot"}, "no schema")


class OwnObjects(unittest.TestCase):
    def setUp(self):
        self.schemas = Schemas(None, VERSION)
        self.worker = copy.deepcopy(references.read(OVERLAY).objects["StatefulSet", "streamflow-worker"])

    def test_a_right_one(self):
        self.assertEqual(self.schemas.errors(self.worker), [])

    def test_an_unknown_field_deep_down(self):
        self.worker["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
        self.assertIn("readinesProbe", " ".join(self.schemas.errors(self.worker)))

    def test_a_wrong_type(self):
        self.worker["spec"]["replicas"] = "2"
        self.assertTrue(self.schemas.errors(self.worker))

    def test_a_key_that_is_written_twice(self):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            file.write("a: 1\na: 2\n")
            file.flush()
            self.assertRaises(yaml.YAMLError, documents, file.name)


class References(unittest.TestCase):
    rendered = OVERLAY

    def setUp(self):
        self.overlay = references.read(self.rendered)
        with open(PROGRAM, encoding="utf-8") as file:
            self.program = yaml.safe_load(file)

    def problems(self):
        return [problem for holds, problem in references.check(self.overlay, self.program, INFRA) if not holds]

    def expect(self, words):
        self.assertIn(words, " ".join(self.problems()))

    def worker(self):
        return self.overlay.objects["StatefulSet", "streamflow-worker"]["spec"]

    def test_all_right(self):
        self.assertEqual(self.problems(), [])

    def service(self):
        return self.overlay.objects["Service", "streamflow-worker"]["spec"]

    def test_a_scaled_set_is_right(self):
        self.worker()["replicas"] += 2
        self.assertEqual(self.problems(), [])

    def test_a_worker_without_a_name(self):
        self.worker()["template"]["spec"]["containers"][0]["env"] = []
        self.expect("POD_NAME")

    def test_workers_that_cannot_find_each_other(self):
        del self.service()["publishNotReadyAddresses"]
        self.expect("hides workers")

    def test_a_service_with_one_address_for_all(self):
        del self.service()["clusterIP"]
        self.expect("no headless service")

    def test_a_service_for_others(self):
        self.service()["selector"]["app.kubernetes.io/component"] = "generator"
        self.expect("has no worker")

    def test_workers_that_start_one_by_one(self):
        self.worker()["podManagementPolicy"] = "OrderedReady"
        self.expect("one after the other")

    def test_workers_of_two_builds(self):
        self.worker()["updateStrategy"]["rollingUpdate"] = {}
        self.expect("two builds")

    def configuration(self, change):
        (name,) = [name for name in self.overlay.all("ConfigMap") if name.startswith("streamflow-config")]
        data = self.overlay.objects["ConfigMap", name]["data"]
        values = yaml.safe_load(data["streamflow.yaml"])
        change(values)
        data["streamflow.yaml"] = yaml.safe_dump(values)

    def test_workers_that_anybody_can_end(self):
        self.configuration(lambda values: values["cluster"].pop("password_file"))
        self.expect("whoever reaches cluster.port")

    def test_a_password_that_is_not_mounted(self):
        sources = self.worker()["template"]["spec"]["volumes"][1]["projected"]["sources"]
        sources[:] = [source for source in sources if source["secret"]["name"] != "streamflow-cluster-password"]
        self.expect("cluster.password_file: workers have no /run/secrets/streamflow/cluster-password")

    def test_a_worker_that_waits_for_its_node(self):
        self.worker()["template"]["spec"]["topologySpreadConstraints"][0]["whenUnsatisfiable"] = "DoNotSchedule"
        self.expect("all wait for a worker that no node may take")

    def test_copies_that_wait_for_their_node(self):
        constraint = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule"}
        pool = self.overlay.objects["KafkaNodePool", "combined"]["spec"]
        pool["template"] = {"pod": {"topologySpreadConstraints": [constraint]}}
        self.expect("KafkaNodePool combined: what was on a drained node")
        constraint["nodeTaintsPolicy"] = "Honor"
        self.assertEqual(self.problems(), [])

    def test_copies_on_one_node(self):
        self.overlay.objects["Cluster", "streamflow-postgres"]["spec"]["instances"] = 3
        self.expect("nothing keeps its 3 pods apart")

    def test_an_instance_that_waits_for_its_node(self):
        self.overlay.objects["Cluster", "streamflow-postgres"]["spec"]["affinity"] = {"podAntiAffinityType": "required"}
        self.expect("required anti-affinity")

    def test_a_drain_that_takes_all_workers(self):
        del self.overlay.objects["PodDisruptionBudget", "streamflow-worker"]
        self.expect("one worker at a time")

    def test_a_worker_with_less_memory_than_it_knows_of(self):
        self.worker()["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"] = "512Mi"
        self.expect("pipeline.memory_limit_mib")

    def test_a_secret_that_nobody_makes(self):
        self.worker()["template"]["spec"]["volumes"][1]["projected"]["sources"][0]["secret"]["name"] = "nobodys"
        self.expect("nobodys")

    def required(self, *, without=(), beside=(), environment=ENVIRONMENT):
        listed = references.read_required(os.path.join(os.path.dirname(INFRA), "k8s", "overlays", "dev", "required-secrets.txt"))
        outcomes = references.check_required(self.overlay, INFRA, listed - {*without} | {*beside}, environment)
        return [problem for holds, problem in outcomes if not holds]

    def test_what_somebody_has_to_give_is_listed(self):
        password = ("streamflow", "streamflow-cluster-password", "password")
        self.assertEqual(self.required(), [])
        self.assertEqual(self.required(without=[password]), [f"required-secrets.txt lacks {' '.join(password)}"])
        self.assertIn("nobody needs", self.required(beside=[("streamflow", "streamflow-postgres-worker", "pasword")])[0])

    def test_who_is_alerted_is_to_be_given_in_production(self):
        production = os.path.join(INFRA, "environments", "prod")
        self.assertEqual(self.required(environment=production), ["required-secrets.txt lacks monitoring alertmanager-receiver alertmanager.yaml"])

    def test_a_user_that_is_gone(self):
        del self.overlay.objects["KafkaUser", "streamflow-generator"]
        self.expect("nobody makes Secret streamflow-generator")

    def test_a_topic_that_is_missing(self):
        self.program["topics"]["alerts"] = "fraud.alarms"
        self.expect("no KafkaTopic fraud.alarms")

    def test_a_topic_with_the_producers_clock(self):
        del self.overlay.objects["KafkaTopic", "transactions.raw"]["spec"]["config"]["message.timestamp.type"]
        self.expect("transactions.raw lacks the broker's clock")

    def test_a_policy_for_nobody(self):
        self.overlay.objects["NetworkPolicy", "worker"]["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"] = "x"
        self.expect("NetworkPolicy worker: no pod has")

    def test_a_port_that_nobody_reaches(self):
        self.overlay.objects["NetworkPolicy", "metrics-of-workers"]["spec"]["ingress"] = []
        self.expect("reach port metrics")

    def test_a_writable_file_system(self):
        self.worker()["template"]["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"] = False
        self.expect("securityContext of worker")


class Parties(References):
    """All of the above with every component, and what is particular to these."""

    rendered = PARTIES

    def required(self, **changes):
        # Those of the components are in a list of their own.
        beside = [("streamflow", f"streamflow-postgres-{name}", "password") for name in ("analyst", "resubmit", "verify")]
        return super().required(**changes | {"beside": [*changes.get("beside", ()), *beside]})

    def acls(self, user):
        return self.overlay.objects["KafkaUser", user]["spec"]["authorization"]["acls"]

    def role(self, name):
        return self.overlay.objects["DatabaseRole", name]["spec"]

    def test_somebody_else_writes_alerts(self):
        self.acls("alerts-consumer")[0]["operations"].append("Write")
        self.expect("KafkaUser alerts-consumer: topic fraud.alerts: only the pipeline writes it")

    def test_a_right_to_a_pattern(self):
        self.acls("transactions-producer")[0]["resource"]["patternType"] = "prefix"
        self.expect("KafkaUser transactions-producer: topic transactions.raw: a pattern")

    def test_a_right_to_a_topic_that_is_not_there(self):
        self.acls("blacklist-producer")[0]["resource"]["name"] = "fraud.blocklist"
        self.expect("topic fraud.blocklist: no such topic")

    def test_a_right_to_everything(self):
        self.acls("streamflow-verify")[0]["operations"] = ["All"]
        self.expect("KafkaUser streamflow-verify: topic transactions.raw: a right too many")

    def test_a_user_without_a_password(self):
        del self.overlay.objects["KafkaUser", "alerts-consumer"]["spec"]["authentication"]
        self.expect("KafkaUser alerts-consumer needs a password")

    def test_an_analyst_who_writes_too(self):
        self.role("streamflow-analyst")["inRoles"].append("streamflow_writer")
        self.expect("DatabaseRole streamflow-analyst: who logs in is in one group")

    def test_an_analyst_who_may_everything(self):
        self.role("streamflow-analyst")["superuser"] = True
        self.expect("DatabaseRole streamflow-analyst: a power too many")

    def test_a_group_that_nobody_makes(self):
        self.role("streamflow-analyst")["inRoles"] = ["streamflow_readers"]
        self.expect("nobody makes role streamflow_readers")

    def test_somebody_elses_password(self):
        self.role("streamflow-analyst")["passwordSecret"]["name"] = "streamflow-postgres-verify"
        self.expect("Secret streamflow-postgres-verify is not that of streamflow_analyst")

    def test_a_listener_that_lets_operators_wait(self):
        self.overlay.objects["Kafka", "streamflow"]["spec"]["kafka"]["listeners"][0]["networkPolicyPeers"].pop()
        self.expect("CronJob streamflow-verify: Kafka's listener does not let it in")

    def test_a_database_that_lets_operators_wait(self):
        del self.overlay.objects["NetworkPolicy", "postgres-of-operators"]
        self.expect("CronJob streamflow-resubmit: PostgreSQL does not let it in")


class Supply(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        here = os.path.dirname(INFRA) or "."
        shutil.copytree(os.path.join(here, ".github"), os.path.join(self.root, ".github"))
        for name in ("Dockerfile", "docker-compose.yaml"):
            shutil.copy(os.path.join(here, name), self.root)

    def change(self, path, pattern, new):
        path = os.path.join(self.root, path)
        with open(path, encoding="utf-8") as file:
            after, changes = re.subn(pattern, new, file.read(), count=1)
        self.assertEqual(changes, 1)
        with open(path, "w", encoding="utf-8") as file:
            file.write(after)

    def problems(self):
        return " ".join(problem for holds, problem in supply.check(self.root) if not holds)

    def test_all_right(self):
        self.assertEqual(self.problems(), "")

    def test_a_tag_can_be_moved(self):
        self.change(".github/workflows/ci.yaml", "actions/cache@[0-9a-f]{40}", "actions/cache@v4.3.0")
        self.assertIn("actions/cache@v4.3.0 must be named by its commit", self.problems())

    def test_a_commit_without_its_version(self):
        self.change(".github/workflows/ci.yaml", r"(actions/cache@[0-9a-f]{40}) # v\S+", r"\1")
        self.assertIn("which version is actions/cache", self.problems())

    def test_an_image_that_moves(self):
        self.change("docker-compose.yaml", r"postgres:17\.9-", "postgres:17-")
        self.assertIn("postgres:17-bookworm is another image tomorrow", self.problems())

    def test_a_base_image_that_moves(self):
        self.change("Dockerfile", r"=debian:\S+", "=debian:bookworm-slim")
        self.assertIn("debian:bookworm-slim is another image tomorrow", self.problems())

    def test_a_digest_does_not_move(self):
        self.change("Dockerfile", r"=debian:\S+", "=debian:bookworm-slim@sha256:" + 64 * "0")
        self.assertEqual(self.problems(), "")

    def test_a_workflow_that_may_write(self):
        self.change(".github/workflows/ci.yaml", "contents: read", "contents: write")
        self.assertIn("permissions must be", self.problems())

    def test_an_image_that_nobody_looks_at(self):
        for _ in range(2):
            self.change(".github/workflows/ci.yaml", "anchore/scan-action@", "anchore/other-action@")
        self.assertIn("known vulnerabilities", self.problems())


class Budget(unittest.TestCase):
    def total(self, lines):
        with contextlib.redirect_stdout(io.StringIO()):
            return budget.table(lines, 0)

    def test_copies_count(self):
        resources = {"requests": {"memory": "1Gi", "cpu": "1"}, "limits": {"memory": "1Gi"}}
        pool = {"kind": "KafkaNodePool", "metadata": {"name": "x"}, "spec": {"replicas": 3, "resources": resources}}
        self.assertEqual(self.total(budget.lines_of(pool)), 3072)

    def test_quantities(self):
        self.assertEqual([budget.mib(text) for text in ("1Gi", "512Ki", "1048576")], [1024, 0.5, 1])

    def test_a_container_that_asks_for_nothing(self):
        cluster = {"kind": "Cluster", "metadata": {"name": "x"}, "spec": {"instances": 1}}
        self.assertRaises(budget.Unbounded, budget.lines_of, cluster)

    def test_too_much(self):
        sys.argv[1:] = ["1024", OVERLAY, ENVIRONMENT]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            self.assertEqual(budget.main(), 1)


class Infra(unittest.TestCase):
    def setUp(self):
        self.root = os.path.join(tempfile.mkdtemp(), "infra")
        self.addCleanup(shutil.rmtree, os.path.dirname(self.root))
        shutil.copytree(INFRA, self.root, ignore=shutil.ignore_patterns(".*"))

    def change(self, path, old, new):
        path = os.path.join(self.root, path)
        with open(path, encoding="utf-8") as file:
            before = file.read()
        self.assertIn(old, before)
        with open(path, "w", encoding="utf-8") as file:
            file.write(before.replace(old, new, 1))

    def expect(self, words):
        with self.assertRaises(infra.Problem) as caught:
            infra.check(self.root)
        self.assertIn(words, str(caught.exception))

    def test_all_right(self):
        self.assertEqual(len(infra.check(self.root)), 3)

    def test_a_circle(self):
        self.change("units/namespaces.hcl", "../k3s-node", "../streamflow")
        self.change("units/namespaces.hcl", "dependency.node.outputs.kubeconfig", '"x"')
        self.expect("circle")

    def test_a_unit_that_is_not_there(self):
        self.change("units/namespaces.hcl", "../k3s-node", "../k3s-knot")
        self.expect("no unit")

    def test_an_output_that_is_not_there(self):
        self.change("units/namespaces.hcl", "outputs.kubeconfig", "outputs.kubeconfigs")
        self.expect("no output kubeconfigs")

    def test_a_variable_without_a_value(self):
        self.change("units/streamflow.hcl", "overlay    = local.environment.overlay", "")
        self.expect("no value for variable overlay")

    def test_an_input_without_a_variable(self):
        self.change("units/streamflow.hcl", "has_backup =", "has_backups =")
        self.expect("no variable has_backups")

    def test_a_version_that_is_a_range(self):
        self.change("modules/monitoring/versions.tf", '"3.1.2"', '">= 3.1"')
        self.expect("one version")

    def test_production_on_one_server(self):
        self.change("environments/prod/environment.hcl", ', "k3s@node-2.example.com", "k3s@node-3.example.com"', "")
        self.expect("production needs three servers")

    def test_an_alertmanager_without_a_receiver(self):
        self.change("environments/prod/environment.hcl", "has_alerting = true", "has_alerting = false")
        self.expect("has_alerting must be true")

    def test_an_alertmanager_with_the_charts_configuration(self):
        self.change("environments/prod/monitoring/values.yaml", "    configSecret: alertmanager-receiver\n", "")
        self.expect("would tell nobody")

    def test_an_alertmanager_with_a_secret_that_nobody_makes(self):
        self.change("modules/monitoring/main.tf", '"alertmanager-receiver"', '"alertmanager"')
        self.expect("would tell nobody")

    def test_what_does_not_parse(self):
        self.change("modules/monitoring/main.tf", "{", "(")
        self.expect("main.tf")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
