import { readFileSync } from "node:fs";

const logo = readFileSync(new URL("./public/logo.png", import.meta.url));

export function answer(path) {
  if (path === "/logo.png") return { status: 200, type: "image/png", body: logo };
  if (path === "/") return { status: 200, type: "text/html", body: "<!doctype html><title>Storefront</title>" };
  return { status: 404, type: "text/plain", body: "not here" };
}
