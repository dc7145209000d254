// Who may use this gateway: whoever knows GATEWAY_TOKEN. Asked first, on every route.

import { GatewayError } from "./errors.js";

const SHORTEST = 16;

// The header of callers whose Authorization is for the container.
const OWN = "x-gateway-authorization";
// The header of callers whose Authorization is for the gateway.
const AGENTS = "x-agent-authorization";
// Credentials of the way here, which no container may see.
const WAY = ["cf-access-client-id", "cf-access-client-secret", "cf-access-jwt-assertion", "cf-access-token"];

// Checks a request, and gives it as the container may see it: without the gateway's credentials, and with its own.
export async function authorize(request, env) {
  const token = env.GATEWAY_TOKEN;
  if (typeof token !== "string" || token.length < SHORTEST) {
    throw new GatewayError(424, "not_configured", "the gateway has no token: set one of at least 16 characters with `wrangler secret put GATEWAY_TOKEN`");
  }
  const given = request.headers.get(OWN) ?? request.headers.get("authorization");
  if (!(await same(bearer(given), token))) {
    throw new GatewayError(401, "unauthorized", "the gateway does not take this token");
  }
  const headers = new Headers(request.headers);
  if (headers.has(OWN)) {
    headers.delete(OWN);
  } else {
    headers.delete("authorization");
    if (headers.has(AGENTS)) headers.set("authorization", headers.get(AGENTS));
  }
  for (const name of [AGENTS, ...WAY]) headers.delete(name);
  return new Request(request, { headers, redirect: "manual" });
}

function bearer(value) {
  const [, token = ""] = /^bearer +(\S+)$/i.exec(value ?? "") ?? [];
  return token;
}

// Digests are of one length and say nothing of how much was right.
async function same(given, expected) {
  const digest = (text) => crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  const [left, right] = await Promise.all([digest(given), digest(expected)]);
  return crypto.subtle.timingSafeEqual(left, right);
}
