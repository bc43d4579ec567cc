"use strict";

const Ajv = require("ajv").default;
const addFormats = require("ajv-formats").default;

const title = { type: "string", minLength: 1, maxLength: 200, pattern: "\\S" };
const notes = { type: "string", maxLength: 2000 };
const due_on = { type: ["string", "null"], format: "date" };

const taskId = {
  type: "object",
  properties: { id: { type: "integer", minimum: 1, maximum: 2147483647 } },
};

const filter = {
  type: "object",
  additionalProperties: false,
  properties: {
    done: { type: "boolean" },
    q: { type: "string", maxLength: 200 },
    limit: { type: "integer", minimum: 1, maximum: 500 },
  },
};

const newTask = {
  type: "object",
  additionalProperties: false,
  required: ["title"],
  properties: { title, notes, due_on },
};

const taskChanges = {
  type: "object",
  additionalProperties: false,
  minProperties: 1,
  properties: { title, notes, due_on, done: { type: "boolean" } },
};

const MOST_BYTES = 10 * 1024 * 1024;
const name = { type: "string", maxLength: 100, pattern: "^[\\w-][\\w. -]*$" };

const attachmentName = {
  type: "object",
  properties: { ...taskId.properties, name },
};

const newAttachment = {
  type: "object",
  additionalProperties: false,
  required: ["name", "type", "size"],
  properties: {
    name,
    type: { type: "string", maxLength: 100, pattern: "^[\\w.+-]+/[\\w.+-]+$" },
    size: { type: "integer", minimum: 1, maximum: MOST_BYTES },
  },
};

const idempotencyKey = {
  type: "object",
  properties: { "idempotency-key": { type: "string", minLength: 1, maxLength: 100 } },
};

const asWritten = addFormats(new Ajv({ allowUnionTypes: true }), ["date"]);
const fromText = new Ajv({ coerceTypes: true });

/** A body's JSON must have the right types; paths, queries and headers are text, in which numbers are read. */
function compileSchema({ schema, httpPart }) {
  return (httpPart === "body" ? asWritten : fromText).compile(schema);
}

/** One sentence for people out of one of Ajv's errors. */
function explain(error, part) {
  const field = error.instancePath.slice(1).replaceAll("/", ".");
  const { keyword, params } = error;
  if (keyword === "required") return `${params.missingProperty} is missing`;
  if (keyword === "additionalProperties") return `${params.additionalProperty} is not a known field`;
  if (keyword === "minProperties") return "give at least one field to change";
  if (keyword === "pattern" && ["name", "type"].includes(field)) return `${field} is not one that is allowed here`;
  if (keyword === "minLength" || keyword === "pattern") return `${field} must not be empty`;
  if (keyword === "format") return `${field} must be a ${params.format} like 2030-12-31`;
  return `${field || part} ${error.message}`;
}

module.exports = { attachmentName, newAttachment, MOST_BYTES, taskId, filter, newTask, taskChanges, idempotencyKey, compileSchema, explain };
