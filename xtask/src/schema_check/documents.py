"""Holds the descriptions of the API and of the configuration against the rules of their standards."""

import json
import sys
import tomllib
from pathlib import Path

from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

directory, defaults = map(Path, sys.argv[1:])
openapi = json.loads((directory / "openapi.json").read_text())
validate(openapi)
print(f"OpenAPI {openapi['openapi']}: {len(openapi['paths'])} paths")

schema = json.loads((directory / "config.json").read_text())
Draft202012Validator.check_schema(schema)
settings = Draft202012Validator(schema)
values = tomllib.loads(defaults.read_text())
settings.validate(values)
for section, name, wrong in [
    ("access", "anonymous", "everybody"),
    ("server", "workers", -1),
    ("server", "wokers", 1),
    ("idempotency", "mismatch_status", 400),
]:
    broken = values | {section: values[section] | {name: wrong}}
    if settings.is_valid(broken):
        sys.exit(f"the schema of the configuration takes {section}.{name} = {wrong}")
print(f"JSON Schema of orderd.toml: {sum(map(len, values.values()))} settings")
