// Opens the UI with one paste of the key; then a page of another origin, which even knows the key, tries the API.
const { expect, paste, run } = require("./ui.cjs");

const { UI, PASTED, FOREIGN } = process.env;

async function open_and_try_from_elsewhere(page) {
  const isLetIn = (answer) => answer.url().endsWith("/flow_runs/filter") && answer.status() === 200;
  const letIn = page.waitForResponse(isLetIn, { timeout: 240_000 });
  await paste(page, UI, PASTED);
  await letIn;
  await page.goto(UI); // a second visit asks for nothing
  await expect(page).toHaveURL(/dashboard/, { timeout: 60_000 });
  await try_from_elsewhere(page);
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

run(open_and_try_from_elsewhere);
