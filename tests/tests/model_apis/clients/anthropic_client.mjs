// Anthropic's own client for Node, made to do what it can with an agent. What it saw is printed as one JSON object.
import Anthropic from "@anthropic-ai/sdk";

const [base, key] = process.argv.slice(-2);
const client = new Anthropic({ baseURL: base, apiKey: key, maxRetries: 0 });
const saw = {};
const asked = (text) => ({ model: "coder", max_tokens: 1000, messages: [{ role: "user", content: text }] });
const options = { headers: { "X-Conversation-ID": "messages" } };

const message = await client.messages.create(
  asked("@@bash echo hello > greeting.txt && cat greeting.txt\n@@text I wrote it."),
  options,
);
saw.message = [message.content.map((block) => block.type), message.content.at(-1).text, message.stop_reason];

const stream = client.messages.stream(asked("@@bash cat greeting.txt\n@@text It says hello."), options);
const final = await stream.finalMessage();
saw.stream = [final.content.map((block) => block.type), final.content.at(-1).text, final.usage.output_tokens > 0];

console.log(JSON.stringify(saw));
