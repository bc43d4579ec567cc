"use strict";

const { createReadStream, createWriteStream } = require("node:fs");
const { mkdir, readdir, rename, rm, stat } = require("node:fs/promises");
const path = require("node:path");
const { pipeline } = require("node:stream/promises");
const { DeleteObjectsCommand, GetObjectCommand, ListObjectsV2Command, PutObjectCommand, S3Client } = require("@aws-sdk/client-s3");
const { getSignedUrl } = require("@aws-sdk/s3-request-presigner");

const GOOD_FOR_SECONDS = 300;

/** Files in a bucket: whoever uploads or downloads does so there, at an address that is good for five minutes. */
class BucketAttachments {
  constructor(bucket, client = new S3Client({ forcePathStyle: Boolean(process.env.AWS_ENDPOINT_URL), requestChecksumCalculation: "WHEN_REQUIRED" })) {
    this.bucket = bucket;
    this.client = client;
  }

  /** Where a file of this type and size is put, and with which headers. */
  async upload(task, name, { type, size }) {
    const asked = new PutObjectCommand({ Bucket: this.bucket, Key: key(task, name), ContentType: type, ContentLength: size });
    const signed = { expiresIn: GOOD_FOR_SECONDS, signableHeaders: new Set(["content-type", "content-length"]) };
    return { url: await getSignedUrl(this.client, asked, signed), headers: { "content-type": type } };
  }

  async list(task) {
    const found = await this.client.send(new ListObjectsV2Command({ Bucket: this.bucket, Prefix: key(task, "") }));
    return (found.Contents ?? []).map((one) => ({ name: path.basename(one.Key), size: one.Size }));
  }

  /** Where a file is read, or nothing when there is none. */
  async download(task, name) {
    if (!(await this.list(task)).some((one) => one.name === name)) return undefined;
    const told = `attachment; filename="${name}"`;
    const asked = new GetObjectCommand({ Bucket: this.bucket, Key: key(task, name), ResponseContentDisposition: told });
    return { url: await getSignedUrl(this.client, asked, { expiresIn: GOOD_FOR_SECONDS }) };
  }

  async removeAll(task) {
    const objects = (await this.list(task)).map(({ name }) => ({ Key: key(task, name) }));
    if (objects.length) await this.client.send(new DeleteObjectsCommand({ Bucket: this.bucket, Delete: { Objects: objects } }));
  }
}

/** Files in a folder, put and read through this application. */
class FolderAttachments {
  constructor(folder) {
    this.folder = folder;
  }

  async upload(task, name, { type }) {
    return { url: `/api/tasks/${task}/attachments/${encodeURIComponent(name)}`, headers: { "content-type": type } };
  }

  async list(task) {
    const names = await readdir(path.join(this.folder, key(task, ""))).catch(() => []);
    const whole = names.filter((name) => !name.startsWith("."));
    return Promise.all(whole.map(async (name) => ({ name, size: (await stat(path.join(this.folder, key(task, name)))).size })));
  }

  async download(task, name) {
    if (!(await this.list(task)).some((one) => one.name === name)) return undefined;
    return { stream: createReadStream(path.join(this.folder, key(task, name))) };
  }

  /** Keeps what a stream brings; nothing is there before all of it is. */
  async keep(task, name, stream) {
    const folder = path.join(this.folder, key(task, ""));
    await mkdir(folder, { recursive: true });
    const aside = path.join(folder, `.${name}.${process.hrtime.bigint()}`);
    try {
      await pipeline(stream, createWriteStream(aside));
      await rename(aside, path.join(folder, name));
    } finally {
      await rm(aside, { force: true });
    }
  }

  async removeAll(task) {
    await rm(path.join(this.folder, key(task, "")), { recursive: true, force: true });
  }
}

/** `s3://BUCKET` or the path of a folder. */
function openAttachments(place) {
  const [, bucket] = /^s3:\/\/([a-z0-9.-]+)\/?$/.exec(place) ?? [];
  if (!bucket && !path.isAbsolute(place)) throw new Error(`ATTACHMENTS is ${place}; give it s3://BUCKET or the path of a folder`);
  return bucket ? new BucketAttachments(bucket) : new FolderAttachments(place);
}

function key(task, name) {
  return `tasks/${task}/${name}`;
}

module.exports = { BucketAttachments, FolderAttachments, openAttachments };
