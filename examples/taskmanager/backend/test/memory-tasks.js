"use strict";

/** Tasks in memory that behave like the table, for tests of the HTTP side. */
class MemoryTasks {
  constructor(...titles) {
    this.rows = new Map();
    this.keys = new Map();
    titles.forEach((title) => this.create({ title }));
  }

  list({ done, q = "" } = {}) {
    const rows = [...this.rows.values()];
    return rows.filter((row) => (done === undefined || row.done === done) && row.title.includes(q));
  }

  get(id) {
    return this.rows.get(id);
  }

  create({ title, notes = "", due_on = null }, key) {
    if (key && this.keys.has(key)) return { task: this.keys.get(key), created: false };
    const task = { id: this.rows.size + 1, title, notes, due_on, done: false };
    this.rows.set(task.id, task);
    if (key) this.keys.set(key, task);
    return { task, created: true };
  }

  update(id, changes) {
    const task = this.rows.get(id);
    return task && Object.assign(task, changes);
  }

  remove(id) {
    return this.rows.delete(id);
  }
}

module.exports = { MemoryTasks };
