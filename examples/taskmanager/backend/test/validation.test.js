"use strict";

const { readConfig } = require("../src/config");
const { MemoryTasks } = require("./memory-tasks");
const { closeAll, serving } = require("./serving");

let ask;
beforeAll(async () => {
  ask = await serving({ tasks: new MemoryTasks("Sleep") });
});
afterAll(closeAll);

describe("what is refused, and the sentence that says why", () => {
  test.each([
    ["no title", "POST", "/api/tasks", {}, "title is missing"],
    ["an empty title", "POST", "/api/tasks", { title: "" }, "title must not be empty"],
    ["a blank title", "POST", "/api/tasks", { title: "   " }, "title must not be empty"],
    ["a number as title", "POST", "/api/tasks", { title: 5 }, "title must be string"],
    ["a long title", "POST", "/api/tasks", { title: "x".repeat(201) }, "title must NOT have more than 200 characters"],
    ["a field it does not know", "POST", "/api/tasks", { title: "x", color: "red" }, "color is not a known field"],
    ["a date that is none", "POST", "/api/tasks", { title: "x", due_on: "2030-02-31" }, "due_on must be a date like 2030-12-31"],
    ["a change of nothing", "PATCH", "/api/tasks/1", {}, "give at least one field to change"],
    ["a word as state", "PATCH", "/api/tasks/1", { done: "yes" }, "done must be boolean"],
    ["a name as id", "GET", "/api/tasks/first", undefined, "id must be integer"],
    ["a filter it does not know", "GET", "/api/tasks?colour=red", undefined, "colour is not a known field"],
  ])("%s", async (_, method, url, payload, message) => {
    const answer = await ask(method, url, payload);
    expect([answer.status, answer.body.error]).toEqual([400, message]);
  });

  test("a title of 200 characters passes", async () => {
    expect(await ask("POST", "/api/tasks", { title: "x".repeat(200) })).toMatchObject({ status: 201 });
  });
});

describe("settings", () => {
  test("a missing DATABASE_URL is named", () => {
    expect(() => readConfig({})).toThrow(/DATABASE_URL/);
  });

  test("what is not set has a default", () => {
    expect(readConfig({ DATABASE_URL: "postgres://x" })).toMatchObject({ port: 3000, poolSize: 10, logLevel: "info" });
  });
});
