// What is written down of a container: one row, all of it or nothing.

export const STATES = { starting: "starting", running: "running", stopping: "stopping", stopped: "stopped" };

export class RecordStore {
  constructor(storage) {
    this.storage = storage;
  }

  load() {
    // Asking for what never was must write nothing.
    const tables = this.storage.sql.exec("SELECT name FROM sqlite_master WHERE type = 'table' AND name = 'record'");
    if (tables.toArray().length === 0) return null;
    const [row] = this.storage.sql.exec("SELECT json FROM record").toArray();
    return row === undefined ? null : JSON.parse(row.json);
  }

  save(record) {
    this.storage.sql.exec("CREATE TABLE IF NOT EXISTS record (one INTEGER PRIMARY KEY CHECK (one = 1), json TEXT NOT NULL)");
    this.storage.sql.exec("INSERT OR REPLACE INTO record VALUES (1, ?)", JSON.stringify(record));
  }

  // When to look again for a container that may come up although it was destroyed, and how often that was done; nothing when none may.
  async late() {
    return (await this.storage.get("late")) ?? null;
  }

  async expectLate(late) {
    if (late !== null) await this.storage.put("late", late);
    else if ((await this.late()) !== null) await this.storage.delete("late");
  }

  // Nothing is left, not even an empty table: an object without storage costs nothing. While a container may come up late, that is kept.
  async clear() {
    const late = await this.late();
    if (late !== null) {
      this.storage.sql.exec("DROP TABLE IF EXISTS record");
      return this.storage.setAlarm(late.at);
    }
    await this.storage.deleteAlarm();
    await this.storage.deleteAll();
  }
}

export function newRecord(id, order) {
  return {
    id,
    order,
    state: STATES.stopped,
    created_at: Date.now(),
    started_at: null,
    generation: 0,
    expires_at: expiry(order),
    stop_deadline: null,
    // Why it was ended by us, until it has ended.
    ending: null,
    exit: null,
    forget_at: null,
  };
}

export function expiry({ expires_at: text }) {
  return text === null ? null : Date.parse(text);
}

export function sameLabels(left, right) {
  const sorted = (labels) => JSON.stringify(Object.entries(labels).sort(([one], [other]) => (one < other ? -1 : 1)));
  return sorted(left) === sorted(right);
}

// As callers see it. The environment stays here.
export function view(record) {
  const time = (at) => (at === null ? null : new Date(at).toISOString());
  return {
    id: record.id,
    state: record.state,
    generation: record.generation,
    labels: record.order.labels,
    image: record.order.image,
    instance: record.order.instance,
    created_at: time(record.created_at),
    started_at: time(record.started_at),
    expires_at: time(record.expires_at),
    exit: record.exit === null ? null : { code: record.exit.code, reason: record.exit.reason },
  };
}
