#!/usr/bin/env python3
"""Runs the scripts of infra/ with commands of ours in place of ssh and kubectl, and looks at what these are told.

usage: scripttest.py INFRA_DIRECTORY
"""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest

import references

(INFRA,) = sys.argv[1:]

SSH = """#!/bin/sh
# Machines that take everything: what they are told, and what comes in on standard input, is written down.
shift 2
echo "$*" >>"$TOLD"
case "$*" in
*"sudo cat /var/lib/rancher/k3s/server/"*) echo "the secret in ${2##*/}" ;;
*"sudo cat /etc/rancher/k3s/k3s.yaml") echo "server: https://127.0.0.1:6443" ;;
*"/dev/stdin "*) cat >>"$PUT" ;;
*" sh -s - "*) cat >/dev/null ;;
esac
"""


class Stub(unittest.TestCase):
    """A script that finds commands of ours in place of some of its own."""

    def setUp(self):
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)

    def path(self, name):
        return os.path.join(self.directory, name)

    def command(self, name, script):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(script)
        os.chmod(self.path(name), 0o755)

    def written(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def run_script(self, arguments, **environment):
        environment = os.environ | environment | {"PATH": f"{self.directory}:{os.environ['PATH']}"}
        return subprocess.run(["sh", *arguments], env=environment, capture_output=True, text=True, check=False)


class Install(Stub):
    """infra/modules/k3s-node/install.sh with machines that only write down."""

    def setUp(self):
        super().setUp()
        self.command("ssh", SSH)
        self.command("curl", "#!/bin/sh\necho installer\n")

    def install(self, role, **environment):
        environment = {"K3S_VERSION": "v1.35.6+k3s1", "K3S_CONFIG": "a: configuration"} | environment
        script = os.path.join(INFRA, "modules", "k3s-node", "install.sh")
        ended = self.run_script([script, role], TOLD=self.path("told"), PUT=self.path("put"), **environment)
        self.assertEqual((ended.returncode, ended.stderr), (0, ""))

    def test_servers_come_one_after_the_other(self):
        self.install("server", TARGETS="k3s@b k3s@c", FIRST="k3s@a")
        told = self.written("told").splitlines()
        installed = [told.index(next(line for line in told if line.startswith(host) and "sh -s - server" in line)) for host in ("k3s@b", "k3s@c")]
        ready = next(number for number, line in enumerate(told) if line.startswith("k3s@b") and "/readyz" in line)
        self.assertTrue(installed[0] < ready < installed[1], told)

    def test_who_joins_gets_the_token_of_its_kind(self):
        self.install("server", TARGETS="k3s@b", FIRST="k3s@a")
        self.install("agent", TARGETS="k3s@d", FIRST="k3s@a")
        self.assertEqual(self.written("put").splitlines()[1::2], ["the secret in token", "the secret in node-token"])
        self.assertNotIn("secret", self.written("told"))

    def test_the_first_server_joins_nobody(self):
        self.install("server", TARGETS="k3s@a")
        self.assertEqual(self.written("put"), "a: configuration\n")
        self.assertNotIn("rancher/k3s/server", self.written("told"))

    def test_no_further_server_is_nothing_to_do(self):
        self.install("server", TARGETS="", FIRST="k3s@a")
        self.assertFalse(os.path.exists(self.path("told")))

    def test_the_access_leads_to_the_api(self):
        self.install("access", TARGETS="k3s@a", API="api.example.com", KUBE_CONFIG=self.path("kube/config"))
        self.assertEqual(self.written("kube/config"), "server: https://api.example.com:6443\n")
        self.assertEqual(os.stat(self.path("kube/config")).st_mode & 0o077, 0)


KUBECTL = """#!/bin/sh
# A cluster with the Secrets of a directory; what else it is asked to do it writes down.
echo "$*" >>"$ASKED"
case "$*" in
*" get secret "*) [ ! -e "$SECRETS/$2 $5" ] || echo yes ;;
esac
"""


class Apply(Stub):
    """infra/modules/streamflow/apply.sh with a kubectl that only writes down."""

    def setUp(self):
        super().setUp()
        self.secrets = self.path("secrets")
        os.mkdir(self.secrets)
        self.command("kubectl", KUBECTL)

    def apply(self):
        """Exit code, what is said on standard error, and what kubectl was asked."""
        overlay = os.path.join(os.path.dirname(INFRA), "k8s", "overlays", "prod")
        script = os.path.join(INFRA, "modules", "streamflow", "apply.sh")
        ended = self.run_script([script], ASKED=self.path("asked"), SECRETS=self.secrets, OVERLAY=overlay, NAMESPACE="streamflow")
        return ended.returncode, ended.stderr, self.written("asked")

    def give(self, *names):
        for name in names:
            with open(os.path.join(self.secrets, name), "w", encoding="utf-8"):
                pass

    def test_nothing_is_applied_without_a_receiver(self):
        self.give(*(f"streamflow streamflow-{name}" for name in (
            "cluster-password", "postgres-maintenance", "postgres-worker", "postgres-backup")))
        code, said, asked = self.apply()
        self.assertEqual((code, said.count("\n")), (1, 1), said)
        self.assertIn("Secret alertmanager-receiver of namespace monitoring lacks alertmanager.yaml", said)
        self.assertNotIn("apply --server-side", asked)

    def test_nothing_is_applied_without_a_password(self):
        code, said, _ = self.apply()
        self.assertEqual((code, said.count("\n")), (1, 1), said)
        self.assertIn("Secret streamflow-cluster-password of namespace streamflow lacks password", said)

    def test_with_all_that_is_required_it_is_applied(self):
        overlay = os.path.join(os.path.dirname(INFRA), "k8s", "overlays", "prod", "required-secrets.txt")
        self.give(*(" ".join(line[:2]) for line in references.read_required(overlay)))
        code, said, asked = self.apply()
        self.assertEqual((code, said), (0, ""))
        self.assertIn("apply --server-side", asked)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
