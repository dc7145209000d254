# Anthropic's own client, made to do what it can with an agent. What it saw is printed as one JSON object.
import json
import sys

import anthropic

base, key = sys.argv[1], sys.argv[2]
client = anthropic.Anthropic(base_url=base, api_key=key, max_retries=0)
saw = {"version": anthropic.__version__}
headers = {"X-Conversation-ID": "messages"}


def asked(text):
    return {"model": "coder", "max_tokens": 1000, "messages": [{"role": "user", "content": text}]}


saw["models"] = sorted(model.id for model in client.models.list() if model.id.startswith("coder"))
saw["model"] = client.models.retrieve("coder/claude-sonnet-4-5").display_name

bash = "@@bash echo hello > greeting.txt && cat greeting.txt\n@@text I wrote it."
message = client.messages.create(**asked(bash), system="Be brief.", extra_headers=headers)
saw["message"] = [[block.type for block in message.content], message.content[-1].text, message.stop_reason]
saw["tool"] = "→ hello" in message.content[0].thinking
saw["usage"] = message.usage.output_tokens > 0

kinds = []
with client.messages.stream(
    **asked("@@tools [{\"thinking\":\"hm\"},{\"name\":\"Bash\",\"input\":{\"command\":\"cat greeting.txt\"}}]\n@@text It says hello."), extra_headers=headers
) as stream:
    for event in stream:
        kinds.append(event.type)
    final = stream.get_final_message()
saw["stream"] = [kinds[0], kinds[-1], [block.type for block in final.content], final.content[-1].text]
saw["stream_tool"] = any("→ hello" in block.thinking for block in final.content if block.type == "thinking")

by_user = client.messages.create(**asked("@@text For a user."), metadata={"user_id": "u"})
saw["user"] = by_user.content[-1].text


def refusal(call):
    try:
        call()
        return "nothing"
    except anthropic.APIStatusError as error:
        return [type(error).__name__, error.status_code, error.body["error"]["type"]]


saw["unknown_model"] = refusal(lambda: client.messages.create(**{**asked("x"), "model": "claude-x"}))
saw["count"] = refusal(
    lambda: client.messages.count_tokens(model="coder", messages=[{"role": "user", "content": "x"}])
)
saw["failed"] = refusal(lambda: client.messages.create(**asked("@@error 400"), extra_headers=headers))
try:
    with client.messages.stream(**asked("@@error 400"), extra_headers=headers) as stream:
        stream.get_final_message()
    saw["failed_stream"] = "nothing"
except anthropic.APIError as error:
    saw["failed_stream"] = error.body["error"]["code"]

print(json.dumps(saw))
