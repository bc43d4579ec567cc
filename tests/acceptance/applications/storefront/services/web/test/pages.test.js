import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { answer } from "../pages.js";

test("the logo is a picture and no pointer to one", () => {
  assert.equal(answer("/logo.png").body.subarray(1, 4).toString(), "PNG");
});

describe("pages", () => {
  test("what is not there is not found", () => assert.equal(answer("/nowhere").status, 404));
});
