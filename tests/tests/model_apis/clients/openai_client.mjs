// OpenAI's own client for Node, made to do what it can with an agent. What it saw is printed as one JSON object.
import OpenAI from "openai";

const [base, key] = process.argv.slice(-2);
const client = new OpenAI({ baseURL: `${base}/v1`, apiKey: key, maxRetries: 0 });
const saw = {};
const bash = "@@bash echo hello > greeting.txt && cat greeting.txt\n@@text I wrote it.";
const asked = (text) => ({ model: "coder", messages: [{ role: "user", content: text }] });
const options = { headers: { "X-Conversation-ID": "chat" } };

const completion = await client.chat.completions.create(asked(bash), options);
const { message, finish_reason } = completion.choices[0];
saw.chat = [message.content, finish_reason, message.reasoning_content.includes("→ hello")];

let text = "";
let usage = null;
const stream = await client.chat.completions.create(
  { ...asked("@@bash cat greeting.txt\n@@text It says hello."), stream: true, stream_options: { include_usage: true } },
  options,
);
for await (const chunk of stream) {
  text += chunk.choices[0]?.delta?.content ?? "";
  usage = chunk.usage ?? usage;
}
saw.stream = [text, usage.total_tokens > 0];

const response = await client.responses.create({ model: "coder", input: bash });
saw.response = [response.status, response.output_text];
const events = await client.responses.create({
  model: "coder",
  input: "@@bash cat greeting.txt\n@@text Still there.",
  previous_response_id: response.id,
  stream: true,
});
const kinds = [];
let final = null;
for await (const event of events) {
  kinds.push(event.type);
  final = event.response ?? final;
}
saw.response_stream = [kinds[0], kinds.at(-1), final.output.at(-1).content[0].text];

async function refusal(call) {
  try {
    await call();
    return "nothing";
  } catch (error) {
    if (!(error instanceof OpenAI.APIError)) throw error;
    return [error.constructor.name, error.status, error.code];
  }
}
saw.unknown_model = await refusal(() => client.chat.completions.create({ ...asked("x"), model: "gpt-4o" }));
saw.failed = await refusal(() => client.chat.completions.create(asked("@@error 400"), options));

console.log(JSON.stringify(saw));
