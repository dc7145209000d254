// What callers may write. An id is the only key to its container, so it is taken in one spelling only.

import { GatewayError } from "./errors.js";

export const MOST_LABELS = 16;
const LONGEST_BODY = 64 * 1024;
const LONGEST_GRACE_MS = 15 * 60_000;
const LONGEST_READY_MS = 5 * 60_000;
const LONGEST_LIFE_MS = 90 * 24 * 3_600_000;

export function isId(text) {
  return typeof text === "string" && /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(text);
}

// A JSON object from a request's body; an empty body is an empty one.
export async function read(request) {
  if (Number(request.headers.get("content-length") ?? 0) > LONGEST_BODY) throw tooLong();
  const text = await request.text();
  if (text.length > LONGEST_BODY) throw tooLong();
  let body;
  try {
    body = text === "" ? {} : JSON.parse(text);
  } catch {
    throw invalid("the body is no JSON");
  }
  if (typeof body !== "object" || body === null || Array.isArray(body)) throw invalid("the body is no JSON object");
  return body;
}

// A condition `key=value` of a list.
export function labelOf(text) {
  const at = text.indexOf("=");
  const [key, value] = [text.slice(0, at), text.slice(at + 1)];
  if (at < 1 || !isLabel(key, value)) throw invalid("write label=KEY=VALUE");
  return [key, value];
}

export function createOrder(body) {
  const fields = {
    labels: optional(isLabels, {}),
    env: optional(isEnv, {}),
    entrypoint: optional(isArguments, null),
    enable_internet: optional(isBoolean, true),
    image: optional(isWord, null),
    instance: optional(isWord, null),
    ready_port: optional(isPort, 3000),
    ready_path: optional(isPath, "/health"),
    ready_timeout_ms: optional(within(1, LONGEST_READY_MS), 60_000),
    idle_timeout_ms: optional(within(10_000, LONGEST_LIFE_MS), 900_000),
    expires_at: optional(isTime, null),
  };
  return take(body, fields);
}

export function stopOrder(body) {
  return take(body, { grace_ms: optional(within(0, LONGEST_GRACE_MS), 5_000) });
}

export function extendOrder(body) {
  return take(body, { expires_at: isTime });
}

function take(body, fields) {
  const unknown = Object.keys(body).find((name) => !Object.hasOwn(fields, name));
  if (unknown !== undefined) throw invalid(`there is no field ${JSON.stringify(unknown.slice(0, 64))}`);
  const order = {};
  for (const [name, field] of Object.entries(fields)) {
    const { fits, missing } = typeof field === "function" ? { fits: field } : field;
    const absent = body[name] === undefined || body[name] === null;
    if (absent && missing === undefined) throw invalid(`${name} is missing`);
    if (!absent && !fits(body[name])) throw invalid(`${name} is not what it should be`);
    order[name] = absent ? missing : body[name];
  }
  return order;
}

const optional = (fits, missing) => ({ fits, missing });
const within = (least, most) => (value) => Number.isInteger(value) && value >= least && value <= most;
const isBoolean = (value) => typeof value === "boolean";
const isPort = within(1, 65_535);
const isText = (value, most) => typeof value === "string" && value.length <= most && !value.includes("\0");
const isWord = (value) => isText(value, 512) && /^\S+$/.test(value);
const isPath = (value) => isText(value, 512) && value.startsWith("/");
const isArguments = (value) => Array.isArray(value) && value.length > 0 && value.every((item) => isText(item, 4096));
const isLabel = (key, value) => /^[A-Za-z0-9._-]{1,64}$/.test(key) && isText(value, 256);

function isLabels(value) {
  return isPlain(value) && Object.keys(value).length <= MOST_LABELS && Object.entries(value).every(([key, text]) => isLabel(key, text));
}

function isEnv(value) {
  const fits = ([key, text]) => /^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(key) && isText(text, 32 * 1024);
  return isPlain(value) && Object.entries(value).every(fits);
}

function isTime(value) {
  const at = typeof value === "string" ? Date.parse(value) : Number.NaN;
  return !Number.isNaN(at) && at - Date.now() <= LONGEST_LIFE_MS;
}

const isPlain = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const invalid = (message) => new GatewayError(400, "invalid", message);
const tooLong = () => new GatewayError(413, "invalid", "the body is longer than 64 KiB");
