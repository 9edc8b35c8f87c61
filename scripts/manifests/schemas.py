"""Schemas of Kubernetes objects, strict: a field that the API server would drop without a word is an error.

Custom kinds come from CustomResourceDefinition files, Kubernetes' own from the package kubernetes_validate.
"""

import glob
import os
from dataclasses import dataclass

import celpy
import kubernetes_validate
import yaml
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

NAME = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"
LABEL = r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$"
# ObjectMeta, as far as people write it. A definition's schema says of it no more than that it is an object.
METADATA = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "maxLength": 253, "pattern": NAME},
        "namespace": {"type": "string", "maxLength": 63, "pattern": NAME},
        "labels": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 63, "pattern": LABEL}},
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
        "finalizers": {"type": "array", "items": {"type": "string"}},
    },
}


class Loader(yaml.CSafeLoader):
    """YAML as Kubernetes reads it: a key that is written twice is an error, `=` is a string."""


def _mapping(loader, node):
    loader.flatten_mapping(node)
    seen = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"key {key!r} twice", key_node.start_mark)
        seen.add(key)
    return yaml.CSafeLoader.construct_mapping(loader, node, deep=True)


Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
Loader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: loader.construct_scalar(node))


def documents(path):
    """The objects of a YAML file."""
    with open(path, encoding="utf-8") as file:
        return [document for document in yaml.load_all(file, Loader=Loader) if document]


def title(manifest):
    """How an object is called in messages."""
    return f"{manifest.get('apiVersion')} {manifest.get('kind')} {manifest.get('metadata', {}).get('name')}"


def _list_map(_validator, keys, items, _schema):
    seen = set()
    for item in items if isinstance(items, list) else []:
        identity = tuple(repr(item.get(key)) for key in keys)
        if identity in seen:
            yield ValidationError(f"two entries with the same {', '.join(keys)}")
        seen.add(identity)


Validator = extend(Draft202012Validator, {"x-list-map": _list_map})
# Keywords of a definition that JSON Schema does not have, or means otherwise.
FOREIGN = {"nullable", "default", "example", "externalDocs", "description", "title"}


def strict(schema):
    """A definition's schema as a JSON Schema that refuses unknown fields."""
    out = {}
    for key, value in schema.items():
        if key == "properties":
            out[key] = {name: strict(inner) for name, inner in value.items()}
        elif key == "items" or (key == "additionalProperties" and isinstance(value, dict)):
            out[key] = strict(value)
        elif key in ("allOf", "anyOf", "oneOf"):
            # These constrain values and name no fields of their own.
            out[key] = [_plain(part) for part in value]
        elif key == "not":
            out[key] = _plain(value)
        elif key not in FOREIGN and not key.startswith("x-kubernetes-"):
            out[key] = value
    if schema.get("x-kubernetes-int-or-string"):
        out.pop("anyOf", None)
        out["type"] = ["integer", "string"]
    elif schema.get("nullable") and "type" in out:
        out["type"] = [out["type"], "null"]
    open_ended = "additionalProperties" in out or schema.get("x-kubernetes-preserve-unknown-fields")
    if schema.get("type") == "object" and not open_ended:
        out["additionalProperties"] = False
    if schema.get("x-kubernetes-list-type") == "map":
        out["x-list-map"] = schema["x-kubernetes-list-map-keys"]
    elif schema.get("x-kubernetes-list-type") == "set":
        out["uniqueItems"] = True
    return out


def _plain(schema):
    if isinstance(schema, dict):
        return {key: _plain(value) for key, value in schema.items() if key not in FOREIGN}
    return [_plain(value) for value in schema] if isinstance(schema, list) else schema


def with_defaults(schema, value):
    """What the API server makes of a value before it validates: defaults are filled in."""
    if isinstance(value, dict):
        properties = schema.get("properties") or {}
        rest = schema.get("additionalProperties")
        value = {key: property_["default"] for key, property_ in properties.items() if "default" in property_} | value
        return {
            key: with_defaults(properties.get(key) or (rest if isinstance(rest, dict) else {}), inner)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [with_defaults(schema.get("items") or {}, inner) for inner in value]
    return value


@dataclass
class Definition:
    """One version of a custom kind."""

    schema: dict
    validator: Validator
    served: bool


class Rules:
    """The rules (CEL) that a definition's schema carries. Those about changes need an object before and are left out."""

    def __init__(self):
        self._environment = celpy.Environment()
        self._programs = {}

    def errors(self, schema, value, path=()):
        for rule in schema.get("x-kubernetes-validations") or []:
            if "oldSelf" not in rule["rule"] and not self._holds(rule["rule"], value):
                yield path, rule.get("message") or rule["rule"]
        if isinstance(value, dict):
            properties, rest = schema.get("properties") or {}, schema.get("additionalProperties")
            for key, inner in value.items():
                yield from self.errors(properties.get(key) or (rest if isinstance(rest, dict) else {}), inner, (*path, key))
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                yield from self.errors(schema.get("items") or {}, inner, (*path, index))

    def _holds(self, rule, value):
        if rule not in self._programs:
            self._programs[rule] = self._environment.program(self._environment.compile(rule))
        return bool(self._programs[rule].evaluate({"self": celpy.json_to_cel(value)}))


class Schemas:
    """All schemas that are known."""

    def __init__(self, definitions_directory, kubernetes_version):
        self._kubernetes = kubernetes_version
        self._rules = Rules()
        self.definitions = {}
        pattern = os.path.join(definitions_directory or os.devnull, "**", "*.y*ml")
        for path in sorted(glob.glob(pattern, recursive=True)):
            for document in documents(path):
                if document.get("kind") == "CustomResourceDefinition":
                    self._add(document["spec"])

    def _add(self, spec):
        for version in spec["versions"]:
            schema = version["schema"]["openAPIV3Schema"]
            checked = strict(schema)
            checked.pop("x-kubernetes-preserve-unknown-fields", None)
            checked["properties"] |= {"apiVersion": {}, "kind": {}, "metadata": METADATA}
            key = (f"{spec['group']}/{version['name']}", spec["names"]["kind"])
            self.definitions[key] = Definition(schema, Validator(checked), version.get("served", True))

    def errors(self, manifest):
        """What is wrong with an object, a line each; none where it is right."""
        definition = self.definitions.get((manifest.get("apiVersion"), manifest.get("kind")))
        return self._custom(manifest, definition) if definition else self._own(manifest)

    def _custom(self, manifest, definition):
        if not definition.served:
            return ["this version is not served"]
        manifest = with_defaults(definition.schema, manifest)
        found = [(error.absolute_path, error.message) for error in definition.validator.iter_errors(manifest)]
        # A rule may trip over what has the wrong type.
        found = found or list(self._rules.errors(definition.schema, manifest))
        return [f"{'.'.join(map(str, path)) or 'object'}: {message[:300]}" for path, message in found]

    def _own(self, manifest):
        found = [
            f"metadata.{'.'.join(map(str, error.absolute_path))}: {error.message}"
            for error in Validator(METADATA).iter_errors(manifest.get("metadata", {}))
        ]
        try:
            kubernetes_validate.validate(manifest, self._kubernetes, strict=True)
        except kubernetes_validate.ValidationError as error:
            found.append(f"{'.'.join(map(str, error.path))}: {error.message[:300]}")
        except kubernetes_validate.SchemaNotFoundError:
            found.append("there is no schema of this kind")
        return found
