#!/usr/bin/env python3
"""Validates rendered manifests: each object against its schema, strictly.

usage: validate.py KUBERNETES_VERSION FILE...
STREAMFLOW_CRDS names the directory with the CustomResourceDefinitions of Strimzi, CloudNativePG and the Prometheus operator.
Without it custom objects are not checked, which is said, and is a failure where CI is set.
"""

import os
import sys

from schemas import Schemas, documents, title

CUSTOM_GROUPS = ("kafka.strimzi.io", "postgresql.cnpg.io", "monitoring.coreos.com")


def is_custom(manifest):
    return manifest.get("apiVersion", "").split("/")[0] in CUSTOM_GROUPS


def main():
    version, *paths = sys.argv[1:]
    directory = os.environ.get("STREAMFLOW_CRDS", "")
    schemas = Schemas(directory, version)
    if directory and not schemas.definitions:
        sys.exit(f"STREAMFLOW_CRDS={directory}: no CustomResourceDefinition is there")
    valid = invalid = unchecked = 0
    for path in paths:
        manifests = documents(path)
        if not manifests:
            sys.exit(f"{path} holds no object")
        for manifest in manifests:
            if is_custom(manifest) and not directory:
                unchecked += 1
                continue
            errors = schemas.errors(manifest)
            for error in errors:
                print(f"{os.path.basename(path)}: {title(manifest)}: {error}", file=sys.stderr)
            valid, invalid = valid + (not errors), invalid + bool(errors)
    print(f"{valid} objects valid, {invalid} invalid, {unchecked} not checked")
    if unchecked:
        print("STREAMFLOW_CRDS is not set: custom objects were not checked", file=sys.stderr)
    return 1 if invalid or (unchecked and os.environ.get("CI")) else 0


if __name__ == "__main__":
    sys.exit(main())
