"use strict";

/** The process's settings, read once from its environment. */
function readConfig(env) {
  if (!env.DATABASE_URL) {
    throw new Error("DATABASE_URL is not set; give it a value like postgres://user:password@host:5432/name");
  }
  return {
    databaseUrl: env.DATABASE_URL,
    poolSize: Number(env.POOL_SIZE || 10),
    port: Number(env.PORT || 3000),
    logLevel: env.LOG_LEVEL || "info",
    version: {
      revision: env.HEADWAY_REVISION || "unknown",
      digest: env.HEADWAY_DIGEST || "unknown",
      started: new Date().toISOString(),
    },
  };
}

module.exports = { readConfig };
