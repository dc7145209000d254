// The gateway: the only way from outside to the containers of this Worker. See docs/providers/cloudflare.md.

import { AgentContainer } from "./agent_container.js";
import { authorize } from "./auth.js";
import { ContainerIndex } from "./container_index.js";
import { GatewayError, answer, explain } from "./errors.js";
import { health } from "./health.js";
import { list } from "./list.js";
import { proxy } from "./proxy.js";
import { agentOf, valueOf } from "./stubs.js";
import { createOrder, extendOrder, isId, read, stopOrder } from "./validation.js";

export { AgentContainer, ContainerIndex };

const METHODS = {
  "": { GET: "inspect", PUT: "create", DELETE: "destroy" },
  stop: { POST: "stop" },
  start: { POST: "start" },
  extend: { POST: "extend" },
};

export default {
  async fetch(request, env) {
    const requestId = request.headers.get("cf-ray") ?? crypto.randomUUID();
    try {
      const forwarded = await authorize(request, env);
      const response = await route(forwarded, env);
      // An upgraded connection cannot be wrapped; everything else says by which name we know this request.
      if (response.webSocket) return response;
      const named = new Response(response.body, response);
      named.headers.set("x-request-id", requestId);
      return named;
    } catch (thrown) {
      const error = explain(thrown);
      if (error.status >= 500) console.error(`${requestId} ${error.code}: ${thrown?.message ?? thrown}`);
      return answer(error, requestId);
    }
  },
};

async function route(request, env) {
  const url = new URL(request.url);
  const [version, kind, id, verb = "", ...rest] = url.pathname.slice(1).split("/");
  if (version !== "v1") throw new GatewayError(404, "no_such_route", "there is no such route: they begin with /v1");
  if (kind === "health" && id === undefined) return allowing(request, { GET: () => health(env) });
  if (kind === "containers" && id === undefined) return allowing(request, { GET: () => list(url, env) });
  if (kind !== "containers" || !isId(id)) {
    throw new GatewayError(404, kind === "containers" ? "not_found" : "no_such_route", "there is no such thing");
  }
  if (verb === "proxy") return proxy(request, url, id, rest[0], env);
  if (rest.length > 0 || !Object.hasOwn(METHODS, verb)) {
    throw new GatewayError(404, "no_such_route", "there is no such route");
  }
  const agent = agentOf(env, id);
  const verbs = {
    inspect: async () => agent.inspect(),
    create: async () => agent.create(id, createOrder(await read(request))),
    destroy: async () => agent.destroy(id),
    stop: async () => agent.stop(stopOrder(await read(request))),
    start: async () => agent.start(),
    extend: async () => agent.extend(extendOrder(await read(request))),
  };
  const methods = Object.entries(METHODS[verb]).map(([method, name]) => [method, verbs[name]]);
  return allowing(
    request,
    Object.fromEntries(methods.map(([method, run]) => [method, async () => Response.json(valueOf(await run()))])),
  );
}

async function allowing(request, methods) {
  if (!Object.hasOwn(methods, request.method)) {
    const allowed = Object.keys(methods).join(", ");
    throw new GatewayError(405, "method_not_allowed", `this route takes ${allowed}`);
  }
  return methods[request.method]();
}
