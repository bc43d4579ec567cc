"use strict";

const { Pool } = require("pg");

/** A pool that logs the loss of an idle connection instead of ending the process. */
function openPool({ databaseUrl, poolSize }, log) {
  const pool = new Pool({
    connectionString: databaseUrl,
    max: poolSize,
    connectionTimeoutMillis: 2000,
    statement_timeout: 5000,
    application_name: "taskmanager",
  });
  pool.on("error", (error) => log.warn({ err: error }, "database connection lost"));
  return pool;
}

/** Resolves when the database answers within `milliseconds`, rejects otherwise. */
async function ping(pool, milliseconds = 1000) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer from the database in ${milliseconds} ms`)), milliseconds);
  });
  try {
    await Promise.race([pool.query("select 1"), late]);
  } finally {
    clearTimeout(timer);
  }
}

module.exports = { openPool, ping };
