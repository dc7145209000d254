// The one object that knows which containers there are: their ids and labels, nothing that changes.

import { DurableObject } from "cloudflare:workers";

import { explain } from "./errors.js";
import { outcome } from "./stubs.js";

// Between entering the index and being made, a container has this long.
const HALF_MADE_MS = 60_000;

export class ContainerIndex extends DurableObject {
  constructor(ctx, env) {
    super(ctx, env);
    this.sql = ctx.storage.sql;
    this.sql.exec("CREATE TABLE IF NOT EXISTS containers (id TEXT PRIMARY KEY, labels TEXT NOT NULL, entered_at INTEGER NOT NULL) WITHOUT ROWID");
  }

  async enter(id, labels) {
    this.sql.exec("INSERT OR REPLACE INTO containers VALUES (?, ?, ?)", id, JSON.stringify(labels), Date.now());
  }

  async leave(id) {
    this.sql.exec("DELETE FROM containers WHERE id = ?", id);
  }

  // Forgets an entry that has no container, unless one may be in the making.
  async prune(id, enteredAt) {
    if (Date.now() - enteredAt < HALF_MADE_MS) return;
    this.sql.exec("DELETE FROM containers WHERE id = ? AND entered_at = ?", id, enteredAt);
  }

  // At most `limit` entries after `cursor` whose labels have all these values, by id.
  page(filters, cursor, limit) {
    return outcome(() => {
      const conditions = filters.map(() => " AND json_extract(labels, ?) = ?").join("");
      const bindings = filters.flatMap(([key, value]) => [`$."${key}"`, value]);
      const query = `SELECT id, entered_at FROM containers WHERE id > ?${conditions} ORDER BY id LIMIT ?`;
      return this.sql.exec(query, cursor, ...bindings, limit).toArray();
    }, explain);
  }
}
