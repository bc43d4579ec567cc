const http = require("node:http");
const { open } = require("./storage");

const storage = open(process.env.DATA || ":memory:");

const server = http.createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://localhost");
  if (request.method === "POST" && pathname === "/vote") {
    storage.vote(searchParams.get("choice") || "none");
    response.writeHead(201).end();
  } else if (pathname === "/") {
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(storage.counts()));
  } else {
    response.writeHead(404).end();
  }
});

server.keepAliveTimeout = 65000;
server.listen(process.env.PORT || 3000, "0.0.0.0");
process.on("SIGTERM", () => server.close(() => process.exit(0)));
