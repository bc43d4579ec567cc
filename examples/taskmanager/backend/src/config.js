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
    attachments: env.ATTACHMENTS,
    oidc: readOidc(env),
    logLevel: env.LOG_LEVEL || "info",
    version: {
      revision: env.HEADWAY_REVISION || "unknown",
      digest: env.HEADWAY_DIGEST || "unknown",
      started: new Date().toISOString(),
    },
  };
}

/** Who signs users in: all of it, or nothing. */
function readOidc(env) {
  const found = { issuer: env.OIDC_ISSUER, audience: env.OIDC_AUDIENCE, jwks: env.OIDC_JWKS };
  const missing = Object.keys(found).filter((name) => !found[name]);
  if (missing.length === 3) return undefined;
  if (missing.length) {
    const names = missing.map((name) => `OIDC_${name.toUpperCase()}`).join(" and ");
    throw new Error(`${names} is not set; without it nobody could tell whose tokens count`);
  }
  return found;
}

module.exports = { readConfig };
