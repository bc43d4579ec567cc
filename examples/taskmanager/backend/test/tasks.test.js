"use strict";

const { ping } = require("../src/database");
const { Tasks, escapeLike } = require("../src/tasks");

/** A pool that keeps what it was asked and answers with the prepared results in turn. */
class FakePool {
  constructor(...results) {
    this.results = results;
    this.asked = [];
  }

  async query(sql, values) {
    this.asked.push({ sql: sql.replace(/\s+/g, " ").trim(), values });
    return this.results.shift() ?? { rows: [], rowCount: 0 };
  }
}

describe("list", () => {
  test("asks for everything, up to 100, without a filter", async () => {
    const pool = new FakePool();
    await new Tasks(pool).list();
    expect(pool.asked[0].sql).not.toContain("where");
    expect(pool.asked[0].values).toEqual([100]);
  });

  test("tells open tasks from any task", async () => {
    const pool = new FakePool();
    await new Tasks(pool).list({ done: false });
    expect(pool.asked[0].sql).toContain("where done = $1");
    expect(pool.asked[0].values).toEqual([false, 100]);
  });

  test("takes the searched text literally and as a parameter", async () => {
    const pool = new FakePool();
    await new Tasks(pool).list({ q: "100%'; drop table tasks" });
    expect(pool.asked[0].sql).not.toContain("drop table");
    expect(pool.asked[0].values[0]).toBe("%100\\%'; drop table tasks%");
  });

  test("numbers the parameters of two conditions", async () => {
    const pool = new FakePool();
    await new Tasks(pool).list({ done: true, q: "milk", limit: 5 });
    expect(pool.asked[0].sql).toContain("where done = $1 and title ilike $2");
    expect(pool.asked[0].sql).toMatch(/limit \$3$/);
  });
});

describe("create", () => {
  test("fills in what was left out", async () => {
    const pool = new FakePool({ rows: [{ id: 1 }] });
    expect(await new Tasks(pool).create({ title: "Sleep" })).toEqual({ task: { id: 1 }, created: true });
    expect(pool.asked[0].values).toEqual(["Sleep", "", null, null]);
  });

  test("finds the task of the first call when the key was used", async () => {
    const pool = new FakePool({ rows: [] }, { rows: [{ id: 4 }] });
    expect(await new Tasks(pool).create({ title: "Sleep" }, "k")).toEqual({ task: { id: 4 }, created: false });
    expect(pool.asked[1].values).toEqual(["k"]);
  });
});

describe("update and remove", () => {
  test("changes the given fields only, false and null among them", async () => {
    const pool = new FakePool({ rows: [{ id: 3 }] });
    await new Tasks(pool).update(3, { done: false, due_on: null, id: 9 });
    expect(pool.asked[0].sql).toContain("set done = $2, due_on = $3, updated_at = now() where id = $1");
    expect(pool.asked[0].values).toEqual([3, false, null]);
  });

  test("says whether a task was removed", async () => {
    const pool = new FakePool({ rowCount: 1 }, { rowCount: 0 });
    const tasks = new Tasks(pool);
    expect([await tasks.remove(1), await tasks.remove(1)]).toEqual([true, false]);
  });
});

test("wildcards stand for themselves in a search", () => {
  expect(escapeLike("a_b%c\\d")).toBe("a\\_b\\%c\\\\d");
});

describe("ping", () => {
  test("gives up on a database that never answers", async () => {
    const silent = { query: () => new Promise(() => {}) };
    await expect(ping(silent, 5)).rejects.toThrow("no answer from the database in 5 ms");
  });

  test("passes on why the database failed", async () => {
    const broken = { query: async () => Promise.reject(new Error("connection refused")) };
    await expect(ping(broken)).rejects.toThrow("connection refused");
  });
});
