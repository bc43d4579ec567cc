import { createServer } from "node:http";
import { answer } from "./pages.js";

const server = createServer((request, response) => {
  const { status, type, body } = answer(request.url);
  response.writeHead(status, { "content-type": type }).end(body);
});

server.keepAliveTimeout = 65000;
server.listen(8080, "0.0.0.0");
process.on("SIGTERM", () => server.close(() => process.exit(0)));
