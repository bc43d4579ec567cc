"use strict";

const { mkdtemp, rm } = require("node:fs/promises");
const os = require("node:os");
const path = require("node:path");
const { S3Client } = require("@aws-sdk/client-s3");
const { BucketAttachments, FolderAttachments, openAttachments } = require("../src/attachments");
const { MemoryTasks } = require("./memory-tasks");
const { closeAll, serving } = require("./serving");

let folder;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "attachments-"));
});
afterEach(async () => {
  await closeAll();
  await rm(folder, { recursive: true });
});

const wanted = { name: "list.txt", type: "text/plain", size: 5 };

function withFolder() {
  return serving({ tasks: new MemoryTasks("Buy milk"), attachments: new FolderAttachments(folder) });
}

test("a file is put where the answer says, and comes back as it was", async () => {
  const ask = await withFolder();
  const { status, body } = await ask("POST", "/api/tasks/1/attachments", wanted);
  const put = await ask(body.upload.method, body.upload.url, "hello", body.upload.headers);
  const back = await ask("GET", "/api/tasks/1/attachments/list.txt");
  expect([status, put.status, back.status, back.body]).toEqual([201, 204, 200, "hello"]);
  expect(back.headers.get("content-disposition")).toBe('attachment; filename="list.txt"');
  expect((await ask("GET", "/api/tasks/1/attachments")).body).toEqual({ attachments: [{ name: "list.txt", size: 5 }] });
});

test("files go with their task", async () => {
  const ask = await withFolder();
  await ask("PUT", "/api/tasks/1/attachments/list.txt", "hello", { "content-type": "text/plain" });
  await ask("DELETE", "/api/tasks/1");
  expect(await new FolderAttachments(folder).list(1)).toEqual([]);
});

test.each([
  ["POST", "/api/tasks/2/attachments", wanted, 404],
  ["POST", "/api/tasks/1/attachments", { ...wanted, name: "../secret" }, 400],
  ["POST", "/api/tasks/1/attachments", { ...wanted, name: ".hidden" }, 400],
  ["POST", "/api/tasks/1/attachments", { ...wanted, size: 11 * 1024 * 1024 }, 400],
  ["GET", "/api/tasks/1/attachments/other.txt", undefined, 404],
  ["GET", "/api/tasks/1/attachments/..%2F..%2Fetc%2Fpasswd", undefined, 400],
])("%s %s is refused", async (method, where, body, status) => {
  expect((await (await withFolder())(method, where, body)).status).toBe(status);
});

test("of a file that is too large nothing stays", async () => {
  const ask = await withFolder();
  const { status } = await ask("PUT", "/api/tasks/1/attachments/large.bin", "x".repeat(10 * 1024 * 1024 + 1), { "content-type": "application/octet-stream" });
  expect(status).toBe(413);
  expect(await new FolderAttachments(folder).list(1)).toEqual([]);
});

test("into a bucket a file goes by an address that is signed for its type, and for five minutes", async () => {
  const credentials = { accessKeyId: "local", secretAccessKey: "local" };
  const attachments = new BucketAttachments("team-attachments", new S3Client({ region: "us-east-1", credentials }));
  const ask = await serving({ tasks: new MemoryTasks("Buy milk"), attachments });
  const { body } = await ask("POST", "/api/tasks/1/attachments", wanted);
  const url = new URL(body.upload.url);
  expect(url.pathname).toBe("/tasks/1/list.txt");
  expect(url.searchParams.get("X-Amz-Expires")).toBe("300");
  expect(url.searchParams.get("X-Amz-SignedHeaders")).toContain("content-type");
  expect(JSON.stringify(body)).not.toContain("secretAccessKey");
});

test("without a place there are no attachments, and a wrong place is named", async () => {
  const ask = await serving({ tasks: new MemoryTasks("Buy milk") });
  expect((await ask("GET", "/api/tasks/1/attachments")).status).toBe(404);
  expect(() => openAttachments("here")).toThrow(/ATTACHMENTS is here; give it s3:/);
});
