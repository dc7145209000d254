// The gateway with a container runtime that is made up, for what no engine on a test's machine can show, or what would cost too much there. What
// a container does follows from its id: the word before the first hyphen; or it is an agent server of the test's process.

import gateway, { AgentContainer as Real, ContainerIndex } from "./index.js";

export { ContainerIndex };
export default {
  // Besides, for tests alone: how many containers have come up late and run.
  async fetch(request, env) {
    if (new URL(request.url).pathname !== "/fake/late") return gateway.fetch(request, env);
    return Response.json([...runtimes.values()].filter((runtime) => runtime instanceof Late && runtime.isUp()).length);
  },
};

const WORDS = {
  full: "There is no container instance that can be provided to this Durable Object",
  most: "Maximum number of running container instances exceeded. Try again later.",
  fast: "you are requesting too many containers per second",
  none: "Containers have not been enabled for this Durable Object class. Have you called the setup function?",
  deaf: "the container is not listening in the TCP address 10.0.0.1:3000",
  lost: "Network connection lost.",
  anew: "Durable Object reset because its code was updated.",
  busy: "Durable Object is overloaded. Too many requests queued.",
  odd: "something nobody has seen",
};

// Longer than anybody waits for a place.
const LATE_MS = 13_000;

// A container that finds a place after everybody has given up. Destroyed before, it comes up nevertheless.
class Late {
  asked = false;
  up = null;

  isUp() {
    return this.up !== null && Date.now() >= this.up;
  }

  get running() {
    return this.asked || this.isUp();
  }

  start() {
    Object.assign(this, { asked: true, up: Date.now() + LATE_MS, end: Promise.withResolvers() });
  }

  monitor() {
    return this.end?.promise ?? Promise.resolve();
  }

  signal() {}

  async destroy() {
    if (this.isUp()) this.up = null;
    this.asked = false;
    this.end.resolve();
  }

  getTcpPort() {
    return {
      fetch: async () => {
        if (!this.isUp()) throw new Error("container port not found");
        return Response.json({});
      },
    };
  }
}

class Runtime {
  constructor(kind) {
    this.kind = kind;
    this.running = false;
    this.started = [];
    if (kind === "chosen") this.images = { agent: "registry.example/agent@sha256:1", data: "registry.example/data@sha256:2" };
  }

  start(options) {
    if (this.running) throw new Error("start() cannot be called on a container that is already running.");
    if (this.kind === "chosen" && options.image === undefined) throw new Error("no image was chosen");
    this.running = true;
    this.started.push(options);
    this.end = Promise.withResolvers();
    const { kind, end } = this;
    const fail = (message, exitCode) => {
      this.running = false;
      end.reject(Object.assign(new Error(message), { exitCode }));
    };
    if (kind === "crash") fail("container exited with unexpected exit code: 7", 7);
    if (kind === "rolled") fail("runtime signalled the container to exit: 143");
    // The room that is there only when it is asked for again.
    if (kind === "tight" && this.started.length < 3) fail(WORDS.full);
    if (kind === "full") fail(WORDS.full);
  }

  monitor() {
    return this.end?.promise ?? Promise.resolve();
  }

  signal(number) {
    if (!this.running) throw new Error("container is not running");
    this.signalled = number;
    if (this.kind !== "deafened") this.#stop();
  }

  async destroy() {
    if (this.running) this.#stop();
  }

  #stop() {
    this.running = false;
    this.end.resolve();
  }

  getTcpPort(port) {
    return {
      fetch: async (input, init) => {
        const request = new Request(input, init);
        if (WORDS[this.kind]) throw new Error(WORDS[this.kind]);
        if (this.kind === "tight" && !this.running) throw new Error(WORDS.full);
        if (!this.running) throw new Error("the container is not running, consider calling start()");
        const seen = { port, url: request.url, method: request.method, headers: Object.fromEntries(request.headers), started: this.started.at(-1) };
        return Response.json({ ...seen, body: await request.text() });
      },
    };
  }
}

// An agent server outside, which the test's process starts and ends. A call to it goes down with the request that it is made for, so each
// is made again by who needs it next: both are the same a second time.
class Task {
  constructor(tasks) {
    this.tasks = tasks;
    this.running = false;
  }

  start({ env }) {
    if (this.running) throw new Error("start() cannot be called on a container that is already running.");
    this.running = true;
    this.end = Promise.withResolvers();
    Object.assign(this, { name: crypto.randomUUID(), env, base: null });
  }

  monitor() {
    return this.end?.promise ?? Promise.resolve();
  }

  signal() {
    if (!this.running) throw new Error("container is not running");
    this.#stop().catch(() => {});
  }

  async destroy() {
    if (this.running) await this.#stop();
  }

  async #stop() {
    const { name, end } = this;
    await this.#call("end", {});
    if (this.name === name) this.running = false;
    end.resolve();
  }

  async #call(verb, body) {
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${this.tasks}/${this.name}/${verb}`, { method: "POST", headers, body: JSON.stringify(body) });
    if (!response.ok) throw new Error(`container is not running: ${verb} is answered with ${response.status}`);
    return response.text();
  }

  getTcpPort() {
    return {
      fetch: async (input, init) => {
        if (!this.running) throw new Error("the container is not running, consider calling start()");
        const request = new Request(input, init);
        const { pathname, search } = new URL(request.url);
        this.base ??= await this.#call("start", this.env);
        return fetch(new Request(`${this.base}${pathname}${search}`, request));
      },
    };
  }
}

const runtimes = new Map();

export class AgentContainer extends Real {
  get container() {
    const object = this.ctx.id.toString();
    const { KIND, TASKS } = this.env ?? {};
    if (!runtimes.has(object)) runtimes.set(object, TASKS ? new Task(TASKS) : new Runtime(KIND));
    return runtimes.get(object);
  }

  // An object does not know by which name it was found.
  create(id, order) {
    const kind = id.split("-")[0];
    if (kind === "late" && !(this.container instanceof Late)) runtimes.set(this.ctx.id.toString(), new Late());
    this.container.kind ??= kind;
    return super.create(id, order);
  }
}
