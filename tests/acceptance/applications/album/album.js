// Keeps pictures in a folder and their titles in SQLite.
const fs = require("node:fs");
const http = require("node:http");
const { DatabaseSync } = require("node:sqlite");

const EDITION = "first";
const database = new DatabaseSync("/data/album.sqlite");
database.exec("pragma busy_timeout = 10000; pragma journal_mode = wal");
database.exec("create table if not exists title(token text not null)");

function body(request) {
  return new Promise((resolve, reject) => {
    const parts = [];
    request.on("data", (part) => parts.push(part));
    request.on("end", () => resolve(Buffer.concat(parts)));
    request.on("error", reject);
  });
}

function said() {
  const rows = database.prepare("select token, count(*) as times from title group by token").all();
  return Object.fromEntries(rows.map((row) => [row.token, row.times]));
}

async function handle(request, answer) {
  const url = new URL(request.url, "http://album");
  const picture = url.pathname.startsWith("/pictures/") && `/data/pictures/${url.pathname.split("/").pop()}`;
  const json = (status, value) => answer.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
  if (url.pathname === "/") return json(200, { edition: EDITION });
  if (url.pathname === "/said") return json(200, said());
  if (url.pathname === "/say" && request.method === "POST") {
    const token = (await body(request)).toString().trim();
    database.prepare("insert into title(token) values (?)").run(token);
    return json(201, { said: token });
  }
  if (picture && request.method === "PUT") {
    fs.writeFileSync(picture, await body(request));
    return json(201, {});
  }
  if (picture && fs.existsSync(picture)) return answer.writeHead(200).end(fs.readFileSync(picture));
  return json(404, {});
}

const server = http.createServer((request, answer) => handle(request, answer).catch(() => answer.writeHead(500).end()));
server.listen(3000);
process.on("SIGTERM", () => server.close(() => process.exit(0)));
