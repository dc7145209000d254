// Whether something answers on a container's port.

import { GatewayError, explain } from "./errors.js";

const FIRST_PATIENCE_MS = 200;
const LONGEST_PATIENCE_MS = 1_000;

// The runtime's words for "not yet"; anything else will not get better by asking again.
const PASSING = new Set(["no_such_port", "not_listening", "not_running", "disconnected", "exited", "ended_by_platform", "internal", "no_capacity"]);

// What is said while a container that was started has no place yet.
const UNPLACED = new Set(["no_such_port", "no_capacity"]);

export function isPlaced(trouble) {
  return trouble === null || !UNPLACED.has(trouble.code);
}

// Asks once more on each call, more patiently each time: a connection that is opened before the port is there may hang.
export class Knocker {
  constructor(container, { ready_port: port, ready_path: path }) {
    this.container = container;
    this.port = port;
    this.path = path;
    this.patience = FIRST_PATIENCE_MS;
  }

  // Nothing when it answers, and otherwise why not. Throws what will not pass.
  async knock() {
    const signal = AbortSignal.timeout(this.patience);
    this.patience = Math.min(this.patience * 2, LONGEST_PATIENCE_MS);
    try {
      const response = await this.container.getTcpPort(this.port).fetch(`http://container${this.path}`, { signal });
      await response.body?.cancel();
      if (response.ok) return null;
      return new GatewayError(503, "not_listening", `${this.path} is answered with ${response.status}`, { retryable: true });
    } catch (thrown) {
      const error = explain(thrown);
      if (!PASSING.has(error.code)) throw error;
      return error;
    }
  }
}
