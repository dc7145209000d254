// What this gateway is and can do.

import { probeOf, valueOf } from "./stubs.js";

// Raised when a client of the earlier one would misunderstand this one.
export const PROTOCOL = 1;
const VERSION = "0.1.0";

export async function health(env) {
  const features = valueOf(await probeOf(env).features());
  return Response.json({ gateway: "agcluster", version: VERSION, protocol: PROTOCOL, ...features });
}

// What the runtime's container object has. Newer members are asked for by name: no version says so.
export function featuresOf(container) {
  const has = (name) => container !== undefined && container !== null && name in container;
  const images = has("images") && container.images ? Object.keys(container.images) : null;
  return {
    // Under the policy `durable_object`, image and instance size are chosen at each start.
    scheduling_policy: images === null ? "default" : "durable_object",
    images: images ?? [],
    features: {
      containers: container !== undefined && container !== null,
      inactivity_timeout: has("setInactivityTimeout"),
      exec: has("exec"),
      snapshots: has("snapshotContainer"),
    },
  };
}
