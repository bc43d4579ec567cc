"use strict";

const { MemoryTasks } = require("./memory-tasks");
const { closeAll, serving, version } = require("./serving");

afterEach(closeAll);

describe("operations", () => {
  test("is healthy while the database answers", async () => {
    expect(await (await serving())("GET", "/healthz")).toMatchObject({ status: 200, body: { status: "ok" } });
  });

  test("is not healthy when the database does not answer", async () => {
    const ping = async () => {
      throw new Error("connection refused");
    };
    expect(await (await serving({ ping }))("GET", "/healthz")).toMatchObject({ status: 503 });
  });

  test("tells which revision and image it runs", async () => {
    expect((await (await serving())("GET", "/version")).body).toEqual(version);
  });

  test("does not tell the caller the inside of a failure", async () => {
    const tasks = { list: async () => Promise.reject(new Error("password=hunter2")) };
    const { status, body } = await (await serving({ tasks }))("GET", "/api/tasks");
    expect(status).toBe(500);
    expect(JSON.stringify(body)).not.toContain("hunter2");
  });
});

describe("tasks", () => {
  test("adds a task and says where it is", async () => {
    const { status, body, headers } = await (await serving())("POST", "/api/tasks", { title: "Buy milk" });
    expect(status).toBe(201);
    expect(body).toMatchObject({ id: 1, title: "Buy milk", done: false });
    expect(headers.get("location")).toBe("/api/tasks/1");
  });

  test("adds one task for two calls with the same idempotency key", async () => {
    const ask = await serving();
    const key = { "idempotency-key": "7c1f" };
    const first = await ask("POST", "/api/tasks", { title: "Once" }, key);
    const second = await ask("POST", "/api/tasks", { title: "Once" }, key);
    expect([first.status, second.status]).toEqual([201, 200]);
    expect(second.body.id).toBe(first.body.id);
  });

  test("lists by state and text", async () => {
    const tasks = new MemoryTasks("Buy milk", "Buy bread", "Sleep");
    tasks.update(2, { done: true });
    const { body } = await (await serving({ tasks }))("GET", "/api/tasks?done=false&q=Buy");
    expect(body.tasks.map((task) => task.title)).toEqual(["Buy milk"]);
  });

  test("completes a task", async () => {
    const ask = await serving({ tasks: new MemoryTasks("Sleep") });
    expect(await ask("PATCH", "/api/tasks/1", { done: true })).toMatchObject({ status: 200, body: { done: true } });
  });

  test("removes a task once", async () => {
    const ask = await serving({ tasks: new MemoryTasks("Sleep") });
    expect((await ask("DELETE", "/api/tasks/1")).status).toBe(204);
    expect((await ask("DELETE", "/api/tasks/1")).status).toBe(404);
  });

  test("says which task there is not", async () => {
    const { status, body } = await (await serving())("GET", "/api/tasks/7");
    expect([status, body.error]).toEqual([404, "there is no task 7"]);
  });
});
