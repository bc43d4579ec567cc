// Approves the run RUN_URL in the Prefect UI as a person would, and takes pictures of the question and of the result.
const { expect, paste, run } = require("./ui.cjs");

const { RUN_URL, KEY, APPROVER, PICTURES } = process.env;

async function approve(page) {
  await paste(page, new URL(RUN_URL).origin, KEY);
  await expect(page).not.toHaveURL(/login/);
  await page.goto(RUN_URL);
  await page.getByRole("button", { name: "Resume" }).first().click();
  const form = page.getByRole("dialog");
  await expect(form.getByText("let this release in?")).toBeVisible();
  await page.screenshot({ path: `${PICTURES}/paused-run.png` });
  await answer(page, form);
  await ended(page);
  await page.goto(RUN_URL);
  await expect(page.getByText("Completed", { exact: true }).first()).toBeVisible({ timeout: 60_000 });
  await page.getByRole("tab", { name: "Artifacts" }).or(page.getByText("Artifacts", { exact: true })).first().click();
  await expect(page.getByText(/report-/).first()).toBeVisible({ timeout: 60_000 });
  await page.screenshot({ path: `${PICTURES}/finished-run.png` });
}

// The page of a run that goes on redraws itself all the time, which slows the run.
async function ended(page) {
  const { origin, pathname } = new URL(RUN_URL);
  const run = `${origin}/api/flow_runs/${pathname.split("/").pop()}`;
  await expect(page.getByRole("dialog")).toBeHidden();
  await page.goto("about:blank");
  const headers = { authorization: `Basic ${Buffer.from(KEY).toString("base64")}` };
  const state = async () => (await (await page.request.get(run, { headers })).json()).state_type;
  await expect.poll(state, { timeout: 120_000 }).toBe("COMPLETED");
}

async function answer(page, form) {
  // The select opens by keyboard alone.
  await form.locator(".p-select-button__control").first().focus();
  await page.keyboard.press("ArrowDown");
  await page.getByText("approve", { exact: true }).last().click();
  const fields = form.getByRole("textbox");
  await fields.first().fill(APPROVER);
  await fields.last().fill("Looks right");
  await form.getByRole("button", { name: /submit|resume/i }).click();
}

run(approve);
