"""Holds events against the description: each must fit the one schema of its type, and not only that of unknown ones."""

import json
import sys

import jsonschema_rs

with open(sys.argv[1]) as file:
    components = json.load(file)["components"]
with open(sys.argv[2]) as file:
    events = json.load(file)


def variants(schema):
    """Every schema in this one that is for one type of event."""
    if isinstance(schema, dict):
        kind = schema.get("properties", {}).get("type", {})
        if isinstance(kind, dict) and "const" in kind:
            yield kind["const"], schema
        for key in ("oneOf", "anyOf", "allOf"):
            for part in schema.get(key, []):
                yield from variants(part)
        if "$ref" in schema and schema["$ref"].endswith("/EventBody"):
            yield from variants(components["schemas"]["EventBody"])


whole = components["schemas"]["Event"]
by_type = {}
for name, schema in variants(whole):
    by_type.setdefault(name, []).append(schema)
for event in events:
    fitting = by_type.get(event["type"], [])
    assert len(fitting) == 1, f"{event['type']} is described {len(fitting)} times"
    for schema in (whole, fitting[0]):
        jsonschema_rs.validator_for({**schema, "components": components}).validate(event)
missing = set(by_type) - {event["type"] for event in events}
assert not missing, f"described, but not among the golden events: {missing}"
