"use strict";

const { buildApp } = require("../src/app");
const { MemoryTasks } = require("./memory-tasks");

const version = { revision: "abc1234", digest: "sha256:00", started: "2030-01-01T00:00:00.000Z" };

const open = [];

/** Serves the application on a free port until `closeAll`; returns a function that asks it over HTTP. */
async function serving({ tasks = new MemoryTasks(), ping = async () => {}, ...more } = {}) {
  const app = buildApp({ tasks, ping, version, ...more });
  open.push(app);
  const address = await app.listen({ host: "127.0.0.1", port: 0 });
  return async (method, path, body, headers = {}) => {
    const type = body === undefined ? {} : { "content-type": "application/json" };
    const sent = typeof body === "string" ? body : JSON.stringify(body);
    const answer = await fetch(address + path, { method, headers: { ...type, ...headers }, body: sent, redirect: "manual" });
    const text = await answer.text();
    const isJson = (answer.headers.get("content-type") ?? "").includes("json");
    return { status: answer.status, body: isJson ? JSON.parse(text) : text, headers: answer.headers };
  };
}

async function closeAll() {
  await Promise.all(open.splice(0).map((app) => app.close()));
}

module.exports = { serving, closeAll, version };
