// One container and what is known of it. Whoever talks to a container talks to this object; its name is the container's id.

import { DurableObject } from "cloudflare:workers";

import { GatewayError, answer, explain } from "./errors.js";
import { featuresOf } from "./health.js";
import { EXPECTED, PORT } from "./proxy.js";
import { Knocker, isPlaced } from "./readiness.js";
import { RecordStore, STATES, expiry, newRecord, sameLabels, view } from "./record.js";
import { startOptions } from "./start_options.js";
import { indexOf, outcome } from "./stubs.js";
import { pause, within } from "./waiting.js";

const SIGTERM = 15;
// A stopped container is remembered so long, for whoever comes late.
const MEMORY_MS = 24 * 3_600_000;
// Until an instance has been found, the runtime may say that there is none.
const PLACING_MS = 8_000;
// When it is looked again for a container that was destroyed before it had been found: it may come up afterwards. What really runs is known
// to an object that is made anew, as one is that was left alone for so long.
const LATE_MS = [10_000, 60_000, 300_000, 900_000];
// How long the end of a destroyed container may take to be seen.
const LAST_BREATH_MS = 5_000;
// One call waits no longer for a container to end: the alarm sees to the rest.
const LONGEST_WAIT_MS = 25_000;
// After an alarm that failed.
const TRY_AGAIN_MS = 30_000;
const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 300;

export class AgentContainer extends DurableObject {
  // Settles when the container that runs now has ended and that was written down.
  #run = null;
  // Since when a container that was started waits for a place; nothing once it has one.
  #placing = null;
  // The container was started and never found.
  #unseen = false;
  // Aborted when that container has ended: not every runtime breaks what still streams from it.
  #over = new AbortController();
  #last = Promise.resolve();

  constructor(ctx, env) {
    super(ctx, env);
    this.records = new RecordStore(ctx.storage);
    // This object was made anew (a deployment, a pause) over a container that went on.
    if (this.container?.running) this.#watch(this.records.load()?.generation);
  }

  get container() {
    return this.ctx.container;
  }

  features() {
    return outcome(() => featuresOf(this.container), explain);
  }

  inspect() {
    return outcome(() => view(this.#settled()), explain);
  }

  // Makes and starts the container unless it runs, and waits until it answers. After an error nothing is left of it.
  create(id, order) {
    return outcome(async () => {
      const generation = await this.#exclusively(() => this.#begin(id, order));
      return this.#untilReady(generation, (record) => this.#forget(record));
    }, explain);
  }

  // Starts a stopped container, on a fresh disk, and waits until it answers. After an error it stands still.
  start() {
    return outcome(async () => {
      const generation = await this.#exclusively(async () => {
        const record = this.#settled();
        if (record.expires_at !== null && record.expires_at <= Date.now()) {
          throw new GatewayError(410, "not_running", "its lifetime is over: make another one");
        }
        return this.#ensureStarted(record);
      });
      return this.#untilReady(generation, (record) => this.#end(record, "it did not come up"));
    }, explain);
  }

  // Asks the container to end, and ends it when it has not by then: by an alarm, whether the caller waits or not.
  stop({ grace_ms: grace }) {
    return outcome(async () => {
      const deadline = await this.#exclusively(async () => {
        const record = this.#settled();
        if (record.state === STATES.stopped) return null;
        if (record.state !== STATES.stopping) {
          record.state = STATES.stopping;
          record.stop_deadline = Date.now() + grace;
          this.records.save(record);
          await this.#arm(record);
          this.#terminate();
        }
        return record.stop_deadline;
      });
      if (deadline !== null) {
        await within(this.#run, Math.min(deadline - Date.now(), LONGEST_WAIT_MS));
        if (Date.now() >= deadline) await this.#exclusively(() => this.#enforce());
      }
      return view(this.#settled());
    }, explain);
  }

  // Ends and forgets the container. One that is not there is forgotten already.
  destroy(id) {
    return outcome(async () => {
      await this.#exclusively(async () => {
        const record = this.records.load();
        if (record !== null) return this.#forget(record);
        if (this.container?.running) await this.#kill();
        return indexOf(this.env).leave(id);
      });
      return { id, state: "destroyed" };
    }, explain);
  }

  // Moves the end of the container's life, never to an earlier time.
  extend({ expires_at: text }) {
    return outcome(async () => {
      const record = this.#settled();
      this.#refuseUnlessRunning(record);
      record.expires_at = Math.max(Date.parse(text), record.expires_at ?? 0);
      this.records.save(record);
      await this.#arm(record);
      return view(record);
    }, explain);
  }

  // The way to a port. A container that does not run is never started by it: what came up would know nothing.
  async fetch(request) {
    const headers = new Headers(request.headers);
    const [port, expected] = [Number(headers.get(PORT)), headers.get(EXPECTED)];
    headers.delete(PORT);
    headers.delete(EXPECTED);
    try {
      const record = this.#settled();
      if (expected !== null && expected !== String(record.generation)) {
        throw new GatewayError(409, "replaced", `the container was started anew: it is generation ${record.generation} now`);
      }
      this.#refuseUnlessRunning(record);
      const { pathname, search } = new URL(request.url);
      const forwarded = new Request(`http://container${pathname}${search}`, new Request(request, { headers }));
      const response = await this.container.getTcpPort(port).fetch(forwarded);
      if (response.webSocket || response.body === null) return response;
      return new Response(response.body.pipeThrough(new IdentityTransformStream(), { signal: this.#over.signal }), response);
    } catch (thrown) {
      return answer(explain(thrown), "");
    }
  }

  // What must happen at a time happens here, also when nobody asks. An alarm that fails too often is not called any more, so
  // it never fails.
  async alarm() {
    try {
      await this.#exclusively(() => this.#enforce());
    } catch (thrown) {
      console.error(`alarm: ${thrown?.message ?? thrown}`);
      await this.ctx.storage.setAlarm(Date.now() + TRY_AGAIN_MS);
    }
  }

  async #begin(id, order) {
    let record = this.records.load();
    if (record !== null && !sameLabels(record.order.labels, order.labels)) {
      throw new GatewayError(409, "conflict", "a container of this id has other labels: it is somebody else's");
    }
    if (record === null) {
      startOptions(order, this.container);
      // In the index first: what is made is always found.
      await indexOf(this.env).enter(id, order.labels);
      if (this.container.running) await this.#kill();
      record = newRecord(id, order);
    }
    record = this.#settle(record);
    if (record.state === STATES.stopped || record.state === STATES.stopping) {
      // It is started anew, so what is asked for now counts.
      Object.assign(record, { order, expires_at: expiry(order) });
      this.records.save(record);
    }
    try {
      return await this.#ensureStarted(record);
    } catch (thrown) {
      await this.#forget(record);
      throw thrown;
    }
  }

  // Gives the generation that runs then.
  async #ensureStarted(record) {
    if (record.state === STATES.stopping) {
      await this.#end(record, "it was started anew");
      record = this.records.load();
    }
    if (record.state !== STATES.stopped) return record.generation;
    // Never the same twice, not even after everything was forgotten.
    record.generation = Math.max(record.generation + 1, Date.now());
    record.started_at = Date.now();
    Object.assign(record, { state: STATES.starting, stop_deadline: null, ending: null, exit: null, forget_at: null });
    this.records.save(record);
    await this.records.expectLate(null);
    await this.#arm(record);
    this.#launch(record);
    return record.generation;
  }

  #launch(record) {
    this.container.start(startOptions(record.order, this.container));
    this.#run = null;
    this.#over = new AbortController();
    this.#placing = Date.now();
    this.#renew(record);
  }

  async #untilReady(generation, giveUp) {
    try {
      await this.#ready(generation);
      return view(this.#settled());
    } catch (thrown) {
      await this.#exclusively(async () => {
        const record = this.records.load();
        if (record?.generation === generation) await giveUp(record);
      });
      throw thrown;
    }
  }

  async #ready(generation) {
    const begun = Date.now();
    let knocker = null;
    for (let wait = FIRST_PAUSE_MS; ; wait = Math.min(wait * 1.5, LONGEST_PAUSE_MS)) {
      const record = this.records.load();
      if (record?.generation !== generation) throw new GatewayError(409, "destroyed", "the container was removed or replaced while it came up");
      if (record.state === STATES.stopping) throw new GatewayError(410, "not_running", "the container was stopped while it came up");
      knocker ??= new Knocker(this.container, record.order);
      if (record.state === STATES.stopped) throw this.#endedEarly(record);
      const trouble = await knocker.knock();
      const placed = this.#placed(generation, trouble);
      if (trouble === null) return this.#mark(generation);
      if (trouble.code === "no_capacity") {
        if (placed) throw trouble;
        await this.#exclusively(() => this.#launchAgain(generation));
      }
      if (Date.now() - begun >= record.order.ready_timeout_ms) {
        throw new GatewayError(504, "not_ready", `nothing answered ${record.order.ready_path} on port ${record.order.ready_port} in time: ${trouble.message}`, { retryable: true });
      }
      await pause(wait);
    }
  }

  // While there is no room, a start may come to nothing without another word.
  #launchAgain(generation) {
    const record = this.records.load();
    if (this.#placing === null || record?.generation !== generation || this.container.running) return;
    try {
      this.container.start(startOptions(record.order, this.container));
    } catch (thrown) {
      if (explain(thrown).code !== "no_capacity") throw thrown;
    }
  }

  #mark(generation) {
    const record = this.records.load();
    if (record?.generation !== generation || record.state !== STATES.starting) return;
    record.state = STATES.running;
    this.records.save(record);
  }

  #endedEarly({ exit }) {
    const known = exit?.error && !["exited", "internal"].includes(exit.error);
    if (known) return explain(new Error(exit.words));
    const how = exit?.code === null || exit?.code === undefined ? "" : ` with code ${exit.code}`;
    return new GatewayError(422, "exited", `the container ended${how} before anything answered on its port`);
  }

  // What is written down, made true.
  #settled() {
    const record = this.records.load();
    if (record === null) throw new GatewayError(404, "not_found", "there is no such container");
    return this.#settle(record);
  }

  #settle(record) {
    if (record.state === STATES.stopped || this.container.running || this.#placing !== null) return record;
    this.#stopped(record, { code: null, error: null, words: null });
    return record;
  }

  // Sees the container's end. The runtime takes a container for running until somebody has looked.
  #watch(generation) {
    const over = this.#over;
    const ended = this.container.monitor().then(
      () => ({ code: 0, error: null, words: null }),
      (thrown) => {
        const words = String(thrown?.message ?? thrown);
        const code = thrown?.exitCode ?? /exit(?: code)?: (\d+)/.exec(words)?.[1];
        return { code: code === undefined ? null : Number(code), error: explain(thrown).code, words };
      },
    );
    this.#run = ended.then((exit) => {
      over.abort(new Error("the container has ended"));
      const record = this.records.load();
      if (record?.generation === generation && record.state !== STATES.stopped) this.#stopped(record, exit);
    });
  }

  #stopped(record, { code, error, words }) {
    const reason = record.ending ?? (error === null || error === "exited" || error === "internal" ? null : explain(new Error(words)).message);
    record.exit = { code: record.ending === null ? code : null, reason, error, words };
    Object.assign(record, { state: STATES.stopped, stop_deadline: null, ending: null, forget_at: Date.now() + MEMORY_MS });
    this.records.save(record);
    this.ctx.waitUntil(this.#arm(record));
  }

  #refuseUnlessRunning(record) {
    if (record.state === STATES.running || record.state === STATES.starting) return;
    throw new GatewayError(410, "not_running", "the container does not run");
  }

  #terminate() {
    try {
      this.container.signal(SIGTERM);
    } catch {
      // It has ended this moment.
    }
  }

  // Ends the container and keeps what is known of it.
  async #end(record, reason) {
    if (record.state === STATES.stopped) return;
    record.ending = reason;
    this.records.save(record);
    await this.#kill();
    const after = this.records.load();
    if (after !== null && after.state !== STATES.stopped) this.#stopped(after, { code: null, error: null, words: null });
  }

  async #forget(record) {
    await this.#kill();
    await this.records.clear();
    await indexOf(this.env).leave(record.id);
  }

  async #kill() {
    // A start returns before it has been taken up; a container that is destroyed sooner may come up afterwards.
    const record = this.records.load();
    while (this.#placing !== null && record !== null) {
      const trouble = await new Knocker(this.container, record.order).knock().catch(() => null);
      if (!this.#placed(record.generation, trouble)) await pause(FIRST_PAUSE_MS);
    }
    await this.container.destroy();
    if (this.#run !== null) await within(this.#run, LAST_BREATH_MS);
    if (this.#unseen) await this.records.expectLate({ looks: 0, at: Date.now() + LATE_MS[0] });
    this.#unseen = false;
  }

  // Ends a container that came up after it was destroyed.
  async #endLate(record) {
    const late = await this.records.late();
    if (late === null || late.at > Date.now()) return;
    const unwanted = record === null || record.state === STATES.stopped;
    if (unwanted && this.container.running) await this.container.destroy();
    const looks = late.looks + 1;
    await this.records.expectLate(looks < LATE_MS.length ? { looks, at: Date.now() + LATE_MS[looks] } : null);
    // What is forgotten has no other alarm, and after the last look nothing at all.
    if (record === null) await this.records.clear();
  }

  // Whether the container has a place now, going by what its port says. From then on its end is watched for: asked sooner, the
  // runtime may tell of the end of the run before.
  #placed(generation, trouble) {
    if (isPlaced(trouble)) this.#unseen = false;
    if (this.#placing === null) return true;
    if (!isPlaced(trouble) && Date.now() - this.#placing < PLACING_MS) return false;
    this.#placing = null;
    this.#unseen = !isPlaced(trouble);
    this.#watch(generation);
    return true;
  }

  async #enforce() {
    const record = this.records.load();
    await this.#endLate(record);
    if (record === null) return;
    this.#settle(record);
    const now = Date.now();
    const due = (at) => at !== null && at <= now;
    if (record.state === STATES.stopped) {
      if (due(record.forget_at)) return this.#forget(record);
    } else if (due(record.expires_at)) {
      await this.#end(record, "its lifetime was over");
    } else if (due(record.stop_deadline)) {
      await this.#end(record, "it did not end within its grace");
    } else {
      this.#renew(record);
    }
    await this.#arm(this.records.load());
  }

  // A container ends some time after its object was last heard of: an agent may work long without anybody asking.
  #renew({ order }) {
    if (!featuresOf(this.container).features.inactivity_timeout) return;
    const set = async () => this.container.setInactivityTimeout(order.idle_timeout_ms);
    this.ctx.waitUntil(set().catch((thrown) => console.error(`inactivity time-out: ${thrown?.message ?? thrown}`)));
  }

  // Sets the alarm for what comes next.
  async #arm(record) {
    const times =
      record.state === STATES.stopped
        ? [record.forget_at]
        : [record.expires_at, record.stop_deadline, Date.now() + record.order.idle_timeout_ms / 3];
    times.push((await this.records.late())?.at ?? null);
    const next = times.filter((at) => at !== null);
    if (next.length > 0) await this.ctx.storage.setAlarm(Math.min(...next));
  }

  // One change at a time.
  #exclusively(work) {
    const done = this.#last.then(work);
    this.#last = done.then(
      () => {},
      () => {},
    );
    return done;
  }
}
