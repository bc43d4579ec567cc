"use strict";

const { attachmentName, newAttachment, taskId, MOST_BYTES } = require("./schemas");
const { Refused } = require("./sign-in");

/** The routes of tasks' files, in a scope of their own: here a body may be anything. */
function attachmentRoutes(tasks, attachments) {
  return async (scope) => {
    scope.addContentTypeParser("*", (request, payload, done) => done(null, payload));
    const ofTask = async (id) => {
      if (!(await tasks.get(id))) throw new Refused(404, `there is no task ${id}`);
    };

    scope.get("/api/tasks/:id/attachments", { schema: { params: taskId } }, async ({ params }) => {
      await ofTask(params.id);
      return { attachments: await attachments.list(params.id) };
    });

    scope.post("/api/tasks/:id/attachments", { schema: { params: taskId, body: newAttachment } }, async ({ params, body }, reply) => {
      await ofTask(params.id);
      return reply.code(201).send({ name: body.name, upload: { method: "PUT", ...(await attachments.upload(params.id, body.name, body)) } });
    });

    scope.get("/api/tasks/:id/attachments/:name", { schema: { params: attachmentName } }, async ({ params }, reply) => {
      const found = await attachments.download(params.id, params.name);
      if (!found) throw new Refused(404, `task ${params.id} has no attachment ${params.name}`);
      if (found.url) return reply.redirect(found.url, 302);
      return reply.header("content-disposition", `attachment; filename="${params.name}"`).type("application/octet-stream").send(found.stream);
    });

    if (attachments.keep) {
      scope.put("/api/tasks/:id/attachments/:name", { schema: { params: attachmentName }, bodyLimit: MOST_BYTES }, async ({ params, body }, reply) => {
        await ofTask(params.id);
        await attachments.keep(params.id, params.name, atMost(body));
        return reply.code(204).send();
      });
    }
  };
}

/** Passes on what a stream brings, and fails once it is too much. */
async function* atMost(stream) {
  let bytes = 0;
  for await (const part of stream ?? []) {
    bytes += part.length;
    if (bytes > MOST_BYTES) throw new Refused(413, `a file may have ${MOST_BYTES} bytes`);
    yield part;
  }
}

module.exports = { attachmentRoutes };
