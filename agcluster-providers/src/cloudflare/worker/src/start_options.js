// What a container is started with, under either scheduling policy.

import { GatewayError } from "./errors.js";
import { featuresOf } from "./health.js";

const MANAGED = "cloudflare/";
const USUAL_IMAGE = "agent";
const USUAL_INSTANCE = "standard-1";

export function startOptions(order, container) {
  const { env, entrypoint, enable_internet: enableInternet } = order;
  const options = { env, enableInternet };
  if (entrypoint !== null) options.entrypoint = entrypoint;
  if (featuresOf(container).scheduling_policy === "durable_object") {
    options.image = imageOf(order.image, container.images);
    options.instance = order.instance ?? USUAL_INSTANCE;
  } else if (order.image !== null || order.instance !== null) {
    throw new GatewayError(400, "not_selectable", "image and instance are those of the deployment: only the scheduling policy durable_object lets them be chosen");
  }
  return options;
}

function imageOf(name, images) {
  if (name?.startsWith(MANAGED)) return name;
  const names = Object.keys(images);
  const chosen = name ?? (names.length === 1 ? names[0] : USUAL_IMAGE);
  if (!Object.hasOwn(images, chosen)) {
    throw new GatewayError(422, "no_such_image", `the deployment has no image ${JSON.stringify(chosen.slice(0, 64))}; it has ${names.join(", ") || "none"}`);
  }
  return images[chosen];
}
