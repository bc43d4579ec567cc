"use strict";

const { fastify, LogController } = require("fastify");
const { attachmentRoutes } = require("./attachment-routes");
const { compileSchema, explain, filter, idempotencyKey, newTask, taskChanges, taskId } = require("./schemas");
const { Refused } = require("./sign-in");

const QUIET = new Set(["/healthz", "/version"]);

/**
 * The HTTP application; what it stands on comes from outside so that tests can bring their own.
 *
 * With `signedIn` (a request's headers → claims, or it rejects) everything below /api/ needs a token. With `attachments`
 * tasks have files.
 */
function buildApp({ tasks, ping, version, log, signedIn, attachments }) {
  const app = fastify({
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }), // one line a request, below
    keepAliveTimeout: 65_000, // longer than the router's, so that it never reuses a connection being closed here
    forceCloseConnections: "idle",
    return503OnClosing: false, // requests that are here already are answered
    schemaErrorFormatter: (errors, part) => new Error(explain(errors[0], part)),
  });
  app.setValidatorCompiler(compileSchema);
  answerErrors(app);
  app.addHook("onResponse", async (request, reply) => {
    const line = { method: request.method, url: request.url, status: reply.statusCode, ms: reply.elapsedTime };
    request.log[QUIET.has(request.url) ? "debug" : "info"](line, "answered");
  });

  app.get("/healthz", async (request, reply) => {
    try {
      await ping();
      return { status: "ok" };
    } catch (error) {
      request.log.warn({ err: error }, "not healthy");
      return reply.code(503).send({ status: "unavailable", error: "the database does not answer" });
    }
  });
  app.get("/version", async () => version);
  if (signedIn) {
    app.addHook("onRequest", async (request) => {
      if (request.url.startsWith("/api/")) request.user = await signedIn(request.headers);
    });
  }
  taskRoutes(app, tasks, attachments);
  if (attachments) app.register(attachmentRoutes(tasks, attachments));
  return app;
}

function taskRoutes(app, tasks, attachments) {
  const missing = (reply, id) => reply.code(404).send({ error: `there is no task ${id}` });

  app.get("/api/tasks", { schema: { querystring: filter } }, async ({ query }) => ({ tasks: await tasks.list(query) }));

  app.get("/api/tasks/:id", { schema: { params: taskId } }, async ({ params }, reply) =>
    (await tasks.get(params.id)) ?? missing(reply, params.id));

  app.post("/api/tasks", { schema: { body: newTask, headers: idempotencyKey } }, async ({ body, headers }, reply) => {
    const { task, created } = await tasks.create(body, headers["idempotency-key"]);
    return reply.code(created ? 201 : 200).header("location", `/api/tasks/${task.id}`).send(task);
  });

  app.patch("/api/tasks/:id", { schema: { params: taskId, body: taskChanges } }, async ({ params, body }, reply) =>
    (await tasks.update(params.id, body)) ?? missing(reply, params.id));

  app.delete("/api/tasks/:id", { schema: { params: taskId } }, async ({ params }, reply) => {
    if (!(await tasks.remove(params.id))) return missing(reply, params.id);
    await attachments?.removeAll(params.id);
    return reply.code(204).send();
  });
}

function answerErrors(app) {
  app.setErrorHandler((error, request, reply) => {
    const status = error.statusCode ?? 500;
    if (status === 401) reply.header("www-authenticate", "Bearer");
    if (status < 500 || error instanceof Refused) return reply.code(status).send({ error: error.message });
    request.log.error({ err: error }, "request failed");
    return reply.code(status).send({ error: "something went wrong here; try again in a moment" });
  });
  app.setNotFoundHandler((request, reply) => reply.code(404).send({ error: `there is nothing at ${request.url}` }));
}

module.exports = { buildApp };
