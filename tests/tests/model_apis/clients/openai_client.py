# OpenAI's own client, made to do what it can with an agent. What it saw is printed as one JSON object.
import json
import sys
import urllib.request

import openai

base, key = sys.argv[1], sys.argv[2]
client = openai.OpenAI(base_url=f"{base}/v1", api_key=key, max_retries=0)
saw = {"version": openai.__version__}
bash = "@@bash echo hello > greeting.txt && cat greeting.txt\n@@text I wrote it."


def asked(text):
    return {"model": "coder", "messages": [{"role": "user", "content": text}]}


def conversation(name):
    return {"extra_headers": {"X-Conversation-ID": name}}


saw["models"] = sorted(model.id for model in client.models.list() if model.id.startswith("coder"))
saw["model"] = client.models.retrieve("coder/claude-sonnet-4-5").owned_by

completion = client.chat.completions.create(**asked(bash), **conversation("chat"))
choice = completion.choices[0]
saw["chat"] = [choice.message.content, choice.finish_reason, completion.usage.completion_tokens > 0]
saw["chat_tool"] = "echo hello" in choice.message.reasoning_content and "→ hello" in choice.message.reasoning_content

text, reasoning, usage, finish = "", "", None, None
stream = client.chat.completions.create(
    **asked("@@tools [{\"thinking\":\"hm\"},{\"name\":\"Bash\",\"input\":{\"command\":\"cat greeting.txt\"}}]\n@@text It says hello."),
    **conversation("chat"),
    stream=True,
    stream_options={"include_usage": True},
)
for chunk in stream:
    usage = chunk.usage or usage
    for choice in chunk.choices:
        text += choice.delta.content or ""
        reasoning += getattr(choice.delta, "reasoning_content", None) or ""
        finish = choice.finish_reason or finish
saw["stream"] = [text, finish, usage.total_tokens > 0, "→ hello" in reasoning]

response = client.responses.create(model="coder", input=bash, instructions="Be brief.")
saw["response"] = [response.status, response.output_text, response.usage.output_tokens > 0]
kinds, final = [], None
with client.responses.stream(
    model="coder", input="@@bash cat greeting.txt\n@@text Still there.", previous_response_id=response.id
) as events:
    for event in events:
        kinds.append(event.type)
    final = events.get_final_response()
saw["response_stream"] = [kinds[0], kinds[-1], "response.output_text.delta" in kinds, final.output_text]
saw["response_goes_on"] = any("→ hello" in item.summary[0].text for item in final.output if item.type == "reasoning")
saw["response_again"] = client.responses.retrieve(final.id).output_text

alone = client.chat.completions.create(**asked("@@text Alone."))
saw["alone"] = alone.choices[0].message.content


def refusal(call):
    try:
        call()
        return "nothing"
    except openai.APIStatusError as error:
        return [type(error).__name__, error.status_code, error.code, error.param]


saw["unknown_model"] = refusal(lambda: client.chat.completions.create(**{**asked("x"), "model": "gpt-4o"}))
saw["system_only"] = refusal(
    lambda: client.chat.completions.create(model="coder", messages=[{"role": "system", "content": "x"}])
)
saw["no_response"] = refusal(
    lambda: client.responses.create(model="coder", input="x", previous_response_id="resp_none")
)
saw["failed"] = refusal(lambda: client.chat.completions.create(**asked("@@error 400"), **conversation("chat")))

raw = client.chat.completions.with_raw_response.create(**asked("@@hang"), **conversation("chat"), stream=True)
running = raw.parse()
next(iter(running))
saw["busy"] = refusal(lambda: client.chat.completions.create(**asked("me too"), **conversation("chat")))
interrupt = f"{base}/api/agents/sessions/{raw.headers['x-session-id']}/interrupt"
while True:
    # The turn may still be on its way to the agent.
    try:
        urllib.request.urlopen(urllib.request.Request(interrupt, b"", {"Authorization": f"Bearer {key}"}))
        break
    except urllib.error.HTTPError as error:
        if error.code != 409:
            raise
saw["interrupted"] = [chunk.choices[0].finish_reason for chunk in running][-1]

try:
    for chunk in client.chat.completions.create(**asked("@@error 400"), **conversation("chat"), stream=True):
        pass
    saw["failed_stream"] = "nothing"
except openai.APIError as error:
    saw["failed_stream"] = [type(error).__name__, error.code]

print(json.dumps(saw))
