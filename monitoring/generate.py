#!/usr/bin/env python3
"""Writes the rules as objects for the Prometheus operator, prometheus-rules.yaml beside this file, or with a directory as argument into
that."""

import sys
from pathlib import Path

HERE = Path(__file__).parent

HEAD = """\
# Written by generate.py from rules/*.yaml: change those.
"""

OBJECT = """\
---
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: streamflow-{name}
  labels:
    app.kubernetes.io/name: streamflow
spec:
"""


def rule_object(path):
    """One file of rules, which is what such an object's `spec` holds."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return OBJECT.format(name=path.stem) + "".join("  " + line if line.strip() else line for line in lines)


def main(directory):
    """Writes all of them."""
    rules = [rule_object(path) for path in sorted((HERE / "rules").glob("*.yaml"))]
    (directory / "prometheus-rules.yaml").write_text(HEAD + "".join(rules), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
