const { defineConfig } = require("@playwright/test");

module.exports = defineConfig({
  outputDir: "/tmp/results",
  timeout: 120_000,
  expect: { timeout: 30_000 },
  workers: 1,
  reporter: [["list"], ["junit"]],
  use: {
    baseURL: process.env.BASE_URL,
    launchOptions: {
      executablePath: process.env.CHROME_BIN,
      args: [
        "--no-sandbox", // the container is the sandbox
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--disable-component-update",
        "--no-first-run",
      ],
    },
  },
});
