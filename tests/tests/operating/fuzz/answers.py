"""Holds answers against the description: each whole one, and each datum of each stream. They are those of a list, and the golden ones in the shapes
of other APIs."""

import json
import pathlib
import sys

import jsonschema_rs

description, sources = json.loads(pathlib.Path(sys.argv[1]).read_text()), pathlib.Path(sys.argv[2])
answers = json.loads(pathlib.Path(sys.argv[3]).read_text())
components = description["components"]
STREAM = "text/event-stream"
GOLDEN = {
    "/v1/chat/completions": "openai/chat/render",
    "/v1/responses": "openai/responses/projection",
    "/v1/messages": "anthropic/render",
}

for path, folder in GOLDEN.items():
    for golden in (sources / folder / "golden").glob("*.snap"):
        kind = "application/json" if golden.stem == "whole" else STREAM
        text = golden.read_text().split("---\n", 2)[2]
        answers.append({"method": "post", "path": path, "status": "200", "kind": kind, "text": text})

held = 0
for answer in answers:
    operation = description["paths"][answer["path"]][answer["method"]]
    schema, pieces = operation["responses"][answer["status"]]["content"][answer["kind"]]["schema"], [answer["text"]]
    if answer["kind"] == STREAM:
        data = schema["properties"]["data"]
        # Apart from the mark at the end of some streams.
        schema = data.get("anyOf", [data])[0]["contentSchema"]
        lines = answer["text"].splitlines()
        pieces = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    validator = jsonschema_rs.validator_for({**schema, "components": components})
    for piece in pieces:
        if piece != "[DONE]":
            try:
                validator.validate(json.loads(piece))
            except jsonschema_rs.ValidationError as error:
                sys.exit(f"{answer['method']} {answer['path']} is not as it is described: {piece}\n{error}")
            held += 1
assert held > 60, f"only {held} answers were found"
