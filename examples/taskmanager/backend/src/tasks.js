"use strict";

const COLUMNS = "id, title, notes, done, to_char(due_on, 'YYYY-MM-DD') as due_on, created_at, updated_at";
const CHANGEABLE = ["title", "notes", "done", "due_on"];

/** The tasks table. Every value travels as a parameter, never as SQL text. */
class Tasks {
  constructor(pool) {
    this.pool = pool;
  }

  /** Tasks that match the filter: open ones first, then by due date, then the newest. */
  async list({ done, q, limit = 100 } = {}) {
    const values = [];
    const conditions = [];
    const parameter = (value) => `$${values.push(value)}`;
    if (done !== undefined) conditions.push(`done = ${parameter(done)}`);
    if (q) conditions.push(`title ilike ${parameter(`%${escapeLike(q)}%`)}`);
    const where = conditions.length ? `where ${conditions.join(" and ")}` : "";
    const { rows } = await this.pool.query(
      `select ${COLUMNS} from tasks ${where} order by done, due_on nulls last, id desc limit ${parameter(limit)}`,
      values,
    );
    return rows;
  }

  async get(id) {
    const { rows } = await this.pool.query(`select ${COLUMNS} from tasks where id = $1`, [id]);
    return rows[0];
  }

  /** Adds a task; with a key that was used before, returns the task of the first call and `created: false`. */
  async create({ title, notes = "", due_on = null }, key = null) {
    const { rows } = await this.pool.query(
      `insert into tasks (title, notes, due_on, idempotency_key) values ($1, $2, $3, $4)
       on conflict (idempotency_key) do nothing returning ${COLUMNS}`,
      [title, notes, due_on, key],
    );
    if (rows.length) return { task: rows[0], created: true };
    const earlier = await this.pool.query(`select ${COLUMNS} from tasks where idempotency_key = $1`, [key]);
    return { task: earlier.rows[0], created: false };
  }

  /** Changes the given fields only; resolves to nothing when there is no such task. */
  async update(id, changes) {
    const names = CHANGEABLE.filter((name) => changes[name] !== undefined);
    const assignments = names.map((name, index) => `${name} = $${index + 2}`);
    const { rows } = await this.pool.query(
      `update tasks set ${[...assignments, "updated_at = now()"].join(", ")} where id = $1 returning ${COLUMNS}`,
      [id, ...names.map((name) => changes[name])],
    );
    return rows[0];
  }

  /** Resolves to whether there was such a task. */
  async remove(id) {
    const { rowCount } = await this.pool.query("delete from tasks where id = $1", [id]);
    return rowCount === 1;
  }
}

/** Makes `%`, `_` and `\` in a search stand for themselves. */
function escapeLike(text) {
  return text.replace(/[\\%_]/g, "\\$&");
}

module.exports = { Tasks, escapeLike };
