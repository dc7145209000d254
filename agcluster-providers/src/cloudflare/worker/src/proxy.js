// The way to a port of a container.

import { GatewayError } from "./errors.js";
import { agentOf } from "./stubs.js";

export const PORT = "x-gateway-port";
export const EXPECTED = "x-expect-generation";

export function proxy(request, url, id, portText, env) {
  const port = Number(portText);
  if (!/^\d{1,5}$/.test(portText ?? "") || port < 1 || port > 65_535) {
    throw new GatewayError(404, "no_such_route", "write /v1/containers/ID/proxy/PORT/PATH");
  }
  const prefix = `/v1/containers/${id}/proxy/${portText}`;
  const target = new URL(url);
  target.pathname = url.pathname.slice(prefix.length) || "/";
  const headers = new Headers(request.headers);
  headers.set(PORT, String(port));
  // Streams both ways: nothing here holds more than a piece.
  return agentOf(env, id).fetch(new Request(target, new Request(request, { headers })));
}
