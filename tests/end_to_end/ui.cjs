// What every script does in the Prefect UI: a browser of its own, a picture of what failed, one paste of the key.
const fs = require("node:fs");
const { chromium, expect } = require("@playwright/test");

const { PICTURES } = process.env;
const ARGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--no-first-run"];

async function drive(script) {
  fs.mkdirSync(PICTURES, { recursive: true });
  const browser = await chromium.launch({ executablePath: process.env.CHROME_BIN, args: ARGS });
  const page = await browser.newPage({ viewport: { width: 1360, height: 900 } });
  page.setDefaultTimeout(60_000);
  page.on("pageerror", (error) => console.error("page:", error));
  page.on("requestfailed", (one) => console.error("request:", one.url(), one.failure().errorText));
  try {
    await script(page);
  } catch (error) {
    await page.screenshot({ path: `${PICTURES}/failed.png` });
    throw error;
  }
  await browser.close();
}

async function paste(page, url, key) {
  const asked = page.locator("input[type=password]");
  // A page whose scripts were not all had in time stays empty: whoever sees that loads it again.
  await expect(async () => {
    await page.goto(url);
    await expect(asked).toBeVisible({ timeout: 30_000 });
  }).toPass({ timeout: 120_000 });
  await asked.fill(key);
  await page.keyboard.press("Enter");
}

function run(script) {
  drive(script).catch((error) => {
    console.error(error);
    process.exit(1);
  });
}

module.exports = { expect, paste, run };
