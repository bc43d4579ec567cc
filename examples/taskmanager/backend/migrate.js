"use strict";

const path = require("node:path");
const { Client } = require("pg");
const { migrate } = require("postgres-migrations");

/**
 * Applies the files of `migrations/` that the database has not had yet, each in a transaction, under an advisory
 * lock. Ends with 1 and leaves the failing migration unapplied when anything goes wrong, also when a file that was
 * applied before has been changed since.
 */
async function main() {
  if (!process.env.DATABASE_URL) throw new Error("DATABASE_URL is not set");
  const client = new Client({
    connectionString: process.env.DATABASE_URL,
    connectionTimeoutMillis: 10_000,
    options: "-c lock_timeout=10s", // rather fail than queue live traffic behind a table lock
  });
  await client.connect();
  try {
    const applied = await migrate({ client }, path.join(__dirname, "migrations"));
    const names = applied.map(({ fileName }) => fileName).filter((name) => !name.startsWith("0_"));
    console.log(names.length ? `applied ${names.join(", ")}` : "the database is up to date");
  } finally {
    await client.end();
  }
}

main().catch((error) => {
  console.error(`migration failed: ${error.message}`);
  process.exit(1);
});
