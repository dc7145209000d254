// The Durable Objects behind the gateway, by name.

import { GatewayError } from "./errors.js";

// The one name that is no container's: ids begin with a letter or digit.
const PROBE = "_probe";

export function agentOf(env, id) {
  return env.AGENT.get(env.AGENT.idFromName(id));
}

// An object of the containers' class that never has a container: what can be done is asked of it.
export function probeOf(env) {
  return agentOf(env, PROBE);
}

export function indexOf(env) {
  return env.INDEX.get(env.INDEX.idFromName("index"));
}

// Runs a method of a Durable Object and gives what `valueOf` takes: a thrown error would lose all but its message.
export async function outcome(run, explain) {
  try {
    return { value: await run() };
  } catch (thrown) {
    return { error: explain(thrown).toPlain() };
  }
}

export function valueOf({ value, error }) {
  if (error) throw GatewayError.fromPlain(error);
  return value;
}
