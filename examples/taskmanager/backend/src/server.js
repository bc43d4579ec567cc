"use strict";

const pino = require("pino");
const { buildApp } = require("./app");
const { openAttachments } = require("./attachments");
const { readConfig } = require("./config");
const { openPool, ping } = require("./database");
const { signIn } = require("./sign-in");
const { Tasks } = require("./tasks");

/** Serves until SIGTERM or SIGINT; then answers what is in flight and ends with 0. */
async function serve() {
  const config = readConfig(process.env);
  const log = pino({ level: config.logLevel, timestamp: pino.stdTimeFunctions.isoTime });
  const pool = openPool(config, log);
  const app = buildApp({
    tasks: new Tasks(pool),
    ping: () => ping(pool),
    version: config.version,
    log,
    signedIn: config.oidc && signIn(config.oidc),
    attachments: config.attachments && openAttachments(config.attachments),
  });

  const stop = async (signal) => {
    log.info({ signal }, "stopping: no new connections, requests in flight are answered");
    await app.close();
    await pool.end();
    log.info("stopped");
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
  await app.listen({ host: "0.0.0.0", port: config.port });
}

serve().catch((error) => {
  console.error(JSON.stringify({ level: "fatal", error: error.message }));
  process.exit(1);
});
