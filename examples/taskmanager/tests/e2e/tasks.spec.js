const { randomUUID } = require("node:crypto");
const { expect, test } = require("@playwright/test");

let word;

test.beforeEach(async ({ page }) => {
  word = randomUUID();
  await page.goto("/");
});

test.afterEach(async ({ request }) => {
  const { tasks } = await (await request.get("/api/tasks", { params: { q: word } })).json();
  for (const { id } of tasks) await request.delete(`/api/tasks/${id}`);
});

const task = (page, title) => page.getByRole("listitem").filter({ hasText: title });

async function add(page, title) {
  await page.getByLabel("New task").fill(title);
  await page.getByRole("button", { name: "Add" }).click();
  await expect(task(page, title)).toBeVisible();
}

test("a person adds a task and finds it again after a reload", async ({ page }) => {
  await page.getByLabel("Due").fill("2031-05-01");
  await add(page, `${word} water the plants`);
  await expect(page.getByLabel("New task")).toHaveValue("");
  await page.reload();
  await expect(task(page, word)).toContainText("due 2031-05-01");
});

test("a completed task moves from Open to Done", async ({ page }) => {
  await add(page, `${word} water the plants`);
  await add(page, `${word} feed the cat`);
  await page.getByLabel("Search").fill(word);
  await page.getByLabel(`${word} feed the cat`, { exact: true }).click();
  await expect(page.getByLabel(`${word} feed the cat`, { exact: true })).toBeChecked();
  await page.getByText("Open", { exact: true }).click();
  await expect(page.getByRole("listitem")).toHaveText([/water the plants/]);
  await page.getByText("Done", { exact: true }).click();
  await expect(page.getByRole("listitem")).toHaveText([/feed the cat/]);
});

test("a deleted task is gone", async ({ page }) => {
  await add(page, word);
  await page.getByRole("button", { name: `Delete ${word}` }).click();
  await expect(task(page, word)).toHaveCount(0);
  await page.reload();
  await expect(page.getByRole("status")).toContainText("open");
  await expect(task(page, word)).toHaveCount(0);
});

test("a failing server is told and the text is kept for another try", async ({ page }) => {
  await page.route("**/api/tasks", (route) => route.fulfill({ status: 503, json: { error: "closed for cleaning" } }));
  await page.getByLabel("New task").fill(word);
  await page.getByRole("button", { name: "Add" }).click();
  await expect(page.getByRole("alert")).toContainText("closed for cleaning");
  await expect(page.getByLabel("New task")).toHaveValue(word);
  await page.unroute("**/api/tasks");
  await page.getByRole("button", { name: "Add" }).click();
  await expect(task(page, word)).toBeVisible();
  await expect(page.getByRole("alert")).toBeHidden();
});

test("the page says which backend it talks to", async ({ page, request }) => {
  const { revision } = await (await request.get("/version")).json();
  await expect(page.getByRole("contentinfo")).toContainText(revision.slice(0, 7));
});
