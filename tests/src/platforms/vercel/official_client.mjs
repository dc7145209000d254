// Vercel's own client, made to do what it can on a fake whose base URL is the only argument. What it saw is printed as one
// JSON object. Its `fetch` hook is what lets it talk to anybody but Vercel.
import { Sandbox, Snapshot, APIError } from "@vercel/sandbox";

const base = process.argv[2];
const credentials = {
  token: "tok_test",
  teamId: "team_x",
  projectId: "prj_y",
  fetch: (url, options) => fetch(String(url).replace("https://vercel.com/api", base), options),
};
const image = "agcluster-agent:latest";
const saw = {};

async function refusal(call) {
  try {
    await call();
    return "nothing";
  } catch (error) {
    if (!(error instanceof APIError)) throw error;
    return `${error.response.status} ${error.json?.error?.code}: ${error.json?.error?.message}`;
  }
}

async function until_stopped(name) {
  while ((await Sandbox.get({ ...credentials, name })).status !== "stopped");
}

const sandbox = await Sandbox.create({
  ...credentials,
  image,
  name: "official-1",
  ports: [3000],
  timeout: 600_000,
  resources: { vcpus: 2 },
  persistent: true,
  networkPolicy: { allow: ["api.anthropic.com"] },
  env: { FROM_SANDBOX: "s" },
  tags: { session: "s1" },
  region: "iad1",
});
saw.created = [sandbox.name, sandbox.status, sandbox.persistent, sandbox.vcpus, sandbox.timeout];
saw.domain = sandbox.domain(3000).startsWith("https://");
saw.expires = sandbox.expiresAt > new Date();

const waited = await sandbox.runCommand({
  cmd: "sh",
  args: ["-c", "echo $FROM_SANDBOX $FROM_COMMAND; id -u; echo wrong >&2; exit 3"],
  env: { FROM_COMMAND: "c" },
});
saw.waited = [waited.exitCode, await waited.stdout(), await waited.stderr()];
const root = await sandbox.runCommand({ cmd: "id", args: ["-u"], sudo: true, cwd: "/" });
saw.root = await root.stdout();
saw.late = (await sandbox.runCommand("sleep", ["60"], { timeoutMs: 500 })).exitCode !== 0;

const detached = await sandbox.runCommand({ cmd: "sh", args: ["-c", "echo begun; exec sleep 600"], detached: true });
for await (const line of detached.logs()) {
  saw.log = line;
  break;
}
saw.running = detached.exitCode;
await detached.kill("SIGTERM");
saw.killed = (await detached.wait()).exitCode;
saw.again = (await sandbox.getCommand(detached.cmdId)).exitCode;

await sandbox.writeFiles([{ path: "a.txt", content: Buffer.from("ä\n") }, { path: "bin/run", content: "#!/bin/sh\necho ran", mode: 0o755 }]);
saw.read = (await sandbox.readFileToBuffer({ path: "a.txt" })).toString();
saw.ran = await (await sandbox.runCommand("./bin/run")).stdout();
saw.missing = await sandbox.readFileToBuffer({ path: "none" });
await sandbox.mkDir("made");
saw.made = (await sandbox.runCommand("test", ["-d", "made"])).exitCode;

const before = sandbox.timeout;
await sandbox.extendTimeout(60_000);
saw.extended = sandbox.currentSession().timeout - before;
await sandbox.update({ networkPolicy: "deny-all" });
saw.policy = sandbox.networkPolicy;
await sandbox.update({ tags: { session: "s2", team: "infra" } });

const listed = async (tags) => (await Sandbox.list({ ...credentials, limit: 1, tags })).toArray();
saw.listed = [(await listed({ session: "s2" })).length, (await listed({ session: "s1" })).length];
saw.prefix = (await (await Sandbox.list({ ...credentials, namePrefix: "official-", sortBy: "name" })).toArray()).length;

// A persistent sandbox is stopped; the next command brings it up again, with its files, elsewhere.
const [session, domain] = [sandbox.currentSession().sessionId, sandbox.domain(3000)];
await sandbox.stop();
let resumed = 0;
const found = await Sandbox.get({ ...credentials, name: "official-1", onResume: async () => { resumed += 1; } });
saw.after_stop = await (await found.runCommand("cat", ["a.txt"])).stdout();
saw.resumed = [resumed, found.currentSession().sessionId !== session, found.domain(3000) !== domain];

// A snapshot stops its source.
const snapshot = await found.snapshot({ expiration: 0 });
await until_stopped("official-1");
saw.snapshot = snapshot.status;
const copy = await Sandbox.create({
  ...credentials,
  name: "official-2",
  persistent: false,
  source: { type: "snapshot", snapshotId: snapshot.snapshotId },
});
saw.copied = (await copy.readFileToBuffer({ path: "a.txt" })).toString();
const fork = await Sandbox.fork({ ...credentials, sourceSandbox: "official-1", name: "official-3", persistent: false });
saw.forked = [(await fork.readFileToBuffer({ path: "a.txt" })).toString(), fork.tags.team];
const got = await Sandbox.getOrCreate({ ...credentials, image, name: "official-2" });
saw.got = got.name;

// What does not run any more.
await copy.stop();
await until_stopped("official-2");
saw.stopped = await refusal(() => copy.currentSession().runCommand("true"));
saw.unresumable = await refusal(() => Sandbox.get({ ...credentials, name: "official-2", resume: true }));
saw.none = await refusal(() => Sandbox.get({ ...credentials, name: "never-was" }));
saw.no_image = await refusal(() => Sandbox.create({ ...credentials, image: "none:none" }));
saw.too_long = await refusal(() => Sandbox.create({ ...credentials, image, timeout: 86_400_001 }));
saw.bad_token = await refusal(() => Sandbox.get({ ...credentials, token: "wrong", name: "official-1" }));
saw.bad_team = await refusal(() => Sandbox.get({ ...credentials, teamId: "team_z", name: "official-1" }));

const kept = await Snapshot.get({ ...credentials, snapshotId: snapshot.snapshotId });
await kept.delete();
await found.delete({ deleteOrphanSnapshots: true });
await copy.delete();
await fork.delete();
console.log(JSON.stringify(saw));
