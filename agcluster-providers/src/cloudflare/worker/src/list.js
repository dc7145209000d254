// Which containers there are. The names of Durable Objects cannot be listed, so the index knows them; what each is doing,
// only it knows itself.

import { GatewayError } from "./errors.js";
import { agentOf, indexOf, valueOf } from "./stubs.js";
import { MOST_LABELS, isId, labelOf } from "./validation.js";

const PAGE = 50;
// As many connections as a Worker has at a time.
const AT_ONCE = 6;

export async function list(url, env) {
  const filters = url.searchParams.getAll("label").map(labelOf);
  const cursor = url.searchParams.get("cursor") ?? "";
  const limit = Number(url.searchParams.get("limit") ?? PAGE);
  const fits = Number.isInteger(limit) && limit >= 1 && limit <= PAGE && filters.length <= MOST_LABELS;
  if (!fits || (cursor !== "" && !isId(cursor))) {
    throw new GatewayError(400, "invalid", `limit is 1 to ${PAGE}, cursor is what an earlier page gave, and there are at most ${MOST_LABELS} labels`);
  }
  const index = indexOf(env);
  const entries = valueOf(await index.page(filters, cursor, limit));
  const containers = [];
  for (let begin = 0; begin < entries.length; begin += AT_ONCE) {
    const some = entries.slice(begin, begin + AT_ONCE);
    containers.push(...(await Promise.all(some.map((entry) => look(env, index, entry)))));
  }
  return Response.json({
    containers: containers.filter((container) => container !== null),
    cursor: entries.length === limit ? entries.at(-1).id : null,
  });
}

async function look(env, index, { id, entered_at: enteredAt }) {
  const seen = await agentOf(env, id).inspect();
  if (seen.error?.code !== "not_found") return valueOf(seen);
  // Entered before it is made, and left after it is gone: what stays without a container was broken off.
  await index.prune(id, enteredAt);
  return null;
}
