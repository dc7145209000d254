// What goes wrong, in one shape, and what the runtime's own words mean.

export class GatewayError extends Error {
  constructor(status, code, message, { retryable = false, retryAfter } = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryable = retryable;
    this.retryAfter = retryAfter;
  }

  // For the way out of a Durable Object, which keeps an error's message only.
  toPlain() {
    const { status, code, message, retryable, retryAfter } = this;
    return { status, code, message, retryable, retryAfter };
  }

  static fromPlain({ status, code, message, retryable, retryAfter }) {
    return new GatewayError(status, code, message, { retryable, retryAfter });
  }
}

const RETRYABLE = { retryable: true };

// The runtime's words, most telling first: what to answer, with which status.
const KNOWN = [
  ["no container instance that can be provided", 503, "no_capacity", "there is no free container instance: raise max_instances, or wait until one has been provisioned", { retryable: true, retryAfter: 5 }],
  ["maximum number of running container instances exceeded", 503, "max_instances", "as many containers run as may: raise max_instances, or ask for a higher limit of the account"],
  ["too many containers per second", 429, "rate_limited", "containers are being started too fast", { retryable: true, retryAfter: 2 }],
  ["containers have not been enabled", 424, "not_enabled", "this Worker was deployed without its containers: deploy it with the containers section of wrangler.jsonc"],
  ["container port not found", 503, "no_such_port", "the container is not up yet, or has no such port", RETRYABLE],
  ["is not listening", 503, "not_listening", "nothing listens on this port of the container yet", RETRYABLE],
  ["connection refused", 503, "not_listening", "nothing listens on this port of the container yet", RETRYABLE],
  ["aborted due to timeout", 503, "not_listening", "nothing answers on this port of the container yet", RETRYABLE],
  ["container exited with unexpected exit code", 502, "exited", "the container ended"],
  ["runtime signalled the container to exit", 502, "ended_by_platform", "the platform ended the container (a deployment, or a host that was restarted)", RETRYABLE],
  ["container is not running", 410, "not_running", "the container does not run"],
  ["network connection lost", 502, "disconnected", "the connection to the container broke", RETRYABLE],
  ["code was updated", 503, "redeployed", "the gateway was deployed anew meanwhile", RETRYABLE],
  ["durable object is overloaded", 503, "overloaded", "this container's object is overloaded", RETRYABLE],
];

// Any thrown thing as an error that can be answered.
export function explain(thrown) {
  if (thrown instanceof GatewayError) return thrown;
  const says = String(thrown?.message ?? thrown).toLowerCase();
  const known = KNOWN.find(([words]) => says.includes(words));
  if (known) {
    const [, status, code, message, options] = known;
    return new GatewayError(status, code, message, options);
  }
  return new GatewayError(500, "internal", "the gateway failed: its log (wrangler tail) says why", RETRYABLE);
}

export function answer(error, requestId) {
  const { status, code, message, retryable, retryAfter } = error;
  const headers = { "x-request-id": requestId };
  if (retryAfter !== undefined) headers["retry-after"] = String(retryAfter);
  if (status === 401) headers["www-authenticate"] = "Bearer";
  const body = { error: { code, message, retryable } };
  // Whoever talks to an agent server through this reads refusals as that one writes them. What may pass is left out: it is
  // no word of the agent server's.
  if (status < 500) Object.assign(body, { code, detail: message });
  return Response.json(body, { status, headers });
}
