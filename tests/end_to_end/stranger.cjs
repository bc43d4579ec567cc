// Opens the UI with one paste of the key; then a page of another origin, which even knows the key, tries the API.
const fs = require("node:fs");
const { chromium, expect } = require("@playwright/test");

const { UI, PASTED, FOREIGN, PICTURES } = process.env;
const ARGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run"];

async function main() {
  fs.mkdirSync(PICTURES, { recursive: true });
  const browser = await chromium.launch({ executablePath: process.env.CHROME_BIN, args: ARGS });
  const page = await browser.newPage();
  try {
    await open(page);
    await try_from_elsewhere(page);
  } catch (error) {
    await page.screenshot({ path: `${PICTURES}/failed.png` });
    throw error;
  }
  await browser.close();
}

async function open(page) {
  page.setDefaultTimeout(60_000);
  page.on("pageerror", (error) => console.error("page:", error));
  page.on("requestfailed", (one) => console.error("request:", one.url(), one.failure().errorText));
  const asked = page.locator("input[type=password]");
  // A page whose scripts were not all had in time stays empty: whoever sees that loads it again.
  await expect(async () => {
    await page.goto(UI);
    await expect(asked).toBeVisible({ timeout: 30_000 });
  }).toPass({ timeout: 120_000 });
  await asked.fill(PASTED);
  const saved = page.waitForResponse((answer) => answer.url().endsWith("/flow_runs/filter"), { timeout: 60_000 });
  await page.keyboard.press("Enter");
  expect((await saved).status()).toBe(200);
  await page.goto(UI); // a second visit asks for nothing
  await expect(page).toHaveURL(/dashboard/, { timeout: 60_000 });
}

async function try_from_elsewhere(page) {
  await page.goto(FOREIGN);
  const outcome = await page.evaluate(
    async ({ api, key }) => {
      const headers = { authorization: `Basic ${btoa(key)}`, "content-type": "application/json" };
      const tried = (more) => fetch(`${api}/flows/filter`, more).then((a) => `answered ${a.status}`, () => "refused");
      const socket = (url) =>
        new Promise((told) => {
          const made = new WebSocket(url, ["prefect"]);
          made.onopen = () => made.send(JSON.stringify({ type: "auth", token: "headway:guessed" }));
          made.onmessage = (message) => told(`told ${message.data}`);
          made.onclose = () => told("refused");
        });
      return [
        await tried({ method: "POST", body: "{}" }),
        await tried({ method: "POST", body: "{}", headers }),
        await socket(`${api.replace("http", "ws")}/logs/out`),
      ];
    },
    { api: `${UI}/api`, key: PASTED },
  );
  expect(outcome).toEqual(["refused", "refused", "refused"]);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
