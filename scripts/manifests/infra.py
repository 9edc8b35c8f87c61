#!/usr/bin/env python3
"""Checks infra/ without a provider or a cluster: everything parses; each environment's units come into an order; what a unit takes
from another is an output there; what it gives its module is a variable there, and nothing that is required is missing; all
versions are exact; whoever is to be alerted has to be named; no single machine takes production's API along.

usage: infra.py INFRA_DIRECTORY
"""

import glob
import json
import os
import re
import sys
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter

import hcl2
import yaml


class Problem(Exception):
    """Something in infra/ that does not fit together."""


def parse(path):
    with open(path, encoding="utf-8") as file:
        try:
            return hcl2.load(file)
        except Exception as error:  # The parser's own errors have no common kind.
            raise Problem(f"{path}: {str(error).splitlines()[0]}") from error


def text(value):
    """A string as it is meant: the parser leaves its quotes."""
    return value[1:-1] if value.startswith('"') else value


def blocks(parsed, kind):
    """The labelled blocks of a kind, by label."""
    return {text(label): body for block in parsed.get(kind, []) for label, body in block.items() if not label.startswith("__")}


@dataclass
class Module:
    """A Terraform module as its users see it."""

    variables: dict = field(default_factory=dict)
    outputs: set = field(default_factory=set)


def read_module(directory):
    module = Module()
    for path in sorted(glob.glob(os.path.join(directory, "*.tf"))):
        parsed = parse(path)
        module.variables |= blocks(parsed, "variable")
        module.outputs |= set(blocks(parsed, "output"))
        for terraform in parsed.get("terraform", []):
            check_pins(path, terraform)
    return module


def check_pins(path, terraform):
    for required in terraform.get("required_providers", []):
        for name, provider in required.items():
            if not name.startswith("__") and not re.fullmatch(r"\d+\.\d+\.\d+", text(provider["version"])):
                raise Problem(f"{path}: provider {name} must have one version, not {provider['version']}")


def passwords(directory):
    """The database roles to which a module gives passwords, by their Secret."""
    parsed = parse(os.path.join(directory, "main.tf"))
    roles = [item for block in parsed.get("locals", []) for item in block.get("roles", {}).items() if not item[0].startswith("__")]
    return {f"streamflow-postgres-{text(key)}": text(role) for key, role in roles}


def secrets(directory):
    """Names of the Secrets that a module makes."""
    parsed = parse(os.path.join(directory, "main.tf"))
    made = set()
    for resource in parsed.get("resource", []):
        for body in blocks({"of": [resource.get('"kubernetes_secret_v1"', {})]}, "of").values():
            name = text(body["metadata"][0]["name"])
            made |= set(passwords(directory)) if "${each.key}" in name else {name}
    return made


@dataclass
class Unit:
    """A Terragrunt unit with what it includes."""

    directory: str
    source: str = ""
    dependencies: dict = field(default_factory=dict)
    after: list = field(default_factory=list)
    inputs: dict = field(default_factory=dict)


def read_unit(directory, root):
    unit = Unit(directory)
    own = parse(os.path.join(directory, "terragrunt.hcl"))
    included = [resolve(body["path"], directory, root) for body in blocks(own, "include").values()]
    for parsed in [own, *map(parse, included)]:
        for terraform in parsed.get("terraform", []):
            # `//` in a source says what is copied along; normalizing the path takes it out.
            unit.source = resolve(terraform["source"], directory, root)
        for name, body in blocks(parsed, "dependency").items():
            unit.dependencies[name] = resolve(body["config_path"], directory, root)
        for block in parsed.get("dependencies", []):
            unit.after += [resolve(path, directory, root) for path in block["paths"]]
        unit.inputs |= parsed.get("inputs", {})
    for path in re.findall(r'file\(\\?"([^)]*?)\\?"\)', json.dumps(unit.inputs)):
        if not os.path.exists(resolve(path, directory, root)):
            raise Problem(f"{directory}: {path} is missing")
    return unit


def resolve(expression, directory, root):
    """A path as Terragrunt would evaluate it; it may use three functions."""
    expression = text(expression)
    if expression.startswith('${find_in_parent_folders("'):
        return find_above(directory, expression.split('"')[1])
    path = expression.replace("${get_terragrunt_dir()}", directory)
    path = path.replace('${dirname(find_in_parent_folders("root.hcl"))}', root)
    if "${" in path:
        raise Problem(f"{directory}: cannot evaluate {expression}")
    return os.path.normpath(os.path.join(directory, path))


def find_above(directory, name):
    while directory != os.path.dirname(directory):
        directory = os.path.dirname(directory)
        if os.path.exists(os.path.join(directory, name)):
            return os.path.join(directory, name)
    raise Problem(f"{name} is in no folder above")


def check_unit(unit, units, modules):
    module = modules[unit.source]
    for other in [*unit.dependencies.values(), *unit.after]:
        if other not in units:
            raise Problem(f"{unit.directory} depends on {other}, which is no unit")
    for name, output in re.findall(r"dependency\.(\w+)\.outputs\.(\w+)", json.dumps(unit.inputs)):
        if name not in unit.dependencies:
            raise Problem(f"{unit.directory}: dependency.{name} is not declared")
        if output not in modules[units[unit.dependencies[name]].source].outputs:
            raise Problem(f"{unit.directory}: {name} has no output {output}")
    given = {text(key) for key in unit.inputs}
    required = {name for name, body in module.variables.items() if "default" not in body}
    for wrong, what in ((given - set(module.variables), "no variable"), (required - given, "no value for variable")):
        if wrong:
            raise Problem(f"{unit.directory}: {what} {', '.join(sorted(wrong))}")


def read_environment(directory):
    """What an environment's own file says."""
    (values,) = parse(os.path.join(directory, "environment.hcl"))["locals"]
    return values


def check_servers(directory):
    """Production's API and etcd go on without any one of the servers."""
    environment = read_environment(directory)
    servers = environment.get("servers")
    if text(environment["overlay"]) == "prod" and not (isinstance(servers, list) and len(servers) >= 3):
        raise Problem(f"{directory}: production needs three servers or more: with fewer, one that is lost takes the API along")


def check_alerting(directory, modules_directory):
    """Where there is an Alertmanager, its configuration is the Secret that the module makes of a receiver it demands."""
    path = os.path.join(directory, "monitoring", "values.yaml")
    with open(path, encoding="utf-8") as file:
        alertmanager = yaml.safe_load(file).get("alertmanager", {})
    runs = alertmanager.get("enabled", True)
    if read_environment(directory).get("has_alerting") is not runs:
        raise Problem(f"{directory}: has_alerting must be {str(runs).lower()}, as {path} has it")
    spec = alertmanager.get("alertmanagerSpec", {})
    made = secrets(os.path.join(modules_directory, "monitoring"))
    if runs and not (spec.get("useExistingSecret") and {spec.get("configSecret")} == made):
        raise Problem(f"{path}: Alertmanager would tell nobody: its configuration must be Secret {', '.join(made)}")


def order(units):
    """The units, each after those it depends on."""
    graph = {path: {*unit.dependencies.values(), *unit.after} for path, unit in units.items()}
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise Problem(f"units in a circle: {' -> '.join(map(os.path.basename, error.args[1]))}") from error


def check(root):
    """Checks everything; returns lines that say what there is."""
    said = []
    parsed = [parse(path) for path in glob.glob(os.path.join(root, "**", "*.hcl"), recursive=True)]
    modules = {}
    for directory in sorted(glob.glob(os.path.join(root, "modules", "*"))):
        modules[directory] = read_module(directory)
    for environment in sorted(glob.glob(os.path.join(root, "environments", "*"))):
        paths = sorted(glob.glob(os.path.join(environment, "*", "terragrunt.hcl")))
        units = {os.path.dirname(path): read_unit(os.path.dirname(path), root) for path in paths}
        if not units:
            raise Problem(f"{environment} has no unit")
        for unit in units.values():
            check_unit(unit, units, modules)
        check_servers(environment)
        check_alerting(environment, os.path.join(root, "modules"))
        said.append(f"{os.path.basename(environment)}: {', '.join(map(os.path.basename, order(units)))}")
    if not said:
        raise Problem(f"{root} has no environment")
    return [f"{len(modules)} modules and {len(parsed)} HCL files read", *said]


def main():
    try:
        print("\n".join(check(os.path.abspath(sys.argv[1]))))
    except Problem as problem:
        sys.exit(str(problem))


if __name__ == "__main__":
    main()
