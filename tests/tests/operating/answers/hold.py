"""Holds answers against the description: each whole one, each line of lines, and each datum of each stream. They are those of a list, and the golden ones
in the shapes of other APIs. There must be one at least of everything in JSON that is described for when all is well."""

import json
import pathlib
import sys

import jsonschema_rs

description, sources = json.loads(pathlib.Path(sys.argv[1]).read_text()), pathlib.Path(sys.argv[2])
answers = json.loads(pathlib.Path(sys.argv[3]).read_text())
components = description["components"]
STREAM, LINES = "text/event-stream", "application/x-ndjson"
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

expected = {
    (method, path, status, kind)
    for path, item in description["paths"].items()
    for method, operation in item.items()
    for status, response in operation["responses"].items()
    for kind in response.get("content", {})
    if status.startswith("2") and ("json" in kind or kind == STREAM)
}
wrong, seen, held = [], set(), 0
for answer in answers:
    key = (answer["method"], answer["path"], answer["status"], answer["kind"])
    seen.add(key)
    if key not in expected:
        wrong.append(f"{key} is not described")
        continue
    schema = description["paths"][key[1]][key[0]]["responses"][key[2]]["content"][key[3]]["schema"]
    pieces = [answer["text"]]
    if key[3] == STREAM:
        data = schema["properties"]["data"]
        # Apart from the mark at the end of some streams.
        schema = data.get("anyOf", [data])[0]["contentSchema"]
        lines = answer["text"].splitlines()
        pieces = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
        if "anyOf" in data:
            pieces = [piece for piece in pieces if piece != "[DONE]"]
    elif key[3] == LINES:
        pieces = answer["text"].splitlines()
    validator = jsonschema_rs.validator_for({**schema, "components": components})
    for piece in pieces:
        held += 1
        for error in validator.iter_errors(json.loads(piece)):
            wrong.append(f"{key} is not as it is described: {piece[:2000]}\n{str(error)[:2000]}")
            break
wrong += [f"{key} is described, and nothing answered it" for key in sorted(expected - seen)]
assert held > 400, f"only {held} data were found"
if wrong:
    sys.exit("\n\n".join(wrong))
