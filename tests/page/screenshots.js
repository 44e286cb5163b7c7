// Draws docs/sandbox.png, the picture in the README, and with --all every state of the page at two
// widths, light and dark, into tests/page/screenshots.

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { ROOT, Sandbox, launch, open, shows } from "./support.js";

const NUMBER = "+14155552671";
const OTHER_NUMBER = "+447911123456";

const sandbox = await Sandbox.start("--port", "0");
const browser = await launch();
try {
  if (process.argv.includes("--all")) await drawAll();
  else await drawPicture();
} finally {
  await browser.close();
  await sandbox.stop();
}

async function drawPicture() {
  const page = await open(browser, sandbox.url, { deviceScaleFactor: 1.5, reducedMotion: "reduce" });
  await useInter(page);
  await signIns();
  await showNewest(page);
  const file = path.join(ROOT, "docs/sandbox.png");
  mkdirSync(path.dirname(file), { recursive: true });
  const input = await page.screenshot();
  execFileSync("pngquant", ["--speed=1", "--strip", "--force", "--output", file, "64", "-"], { input });
  console.log(`${file}: ${readFileSync(file).length} bytes`);
}

async function drawAll() {
  const directory = path.join(import.meta.dirname, "screenshots");
  mkdirSync(directory, { recursive: true });
  for (const width of [1280, 360]) {
    for (const colorScheme of ["light", "dark"]) {
      await sandbox.post("/sandbox/reset", {});
      const page = await open(browser, sandbox.url, {
        viewport: { width, height: 800 },
        colorScheme,
        reducedMotion: "reduce",
      });
      await useInter(page);
      const draw = (state) =>
        page.screenshot({
          path: path.join(directory, `${state}-${width}-${colorScheme}.png`),
          fullPage: width < 1000,
        });
      await page.locator("#setup").waitFor();
      await draw("empty");
      await signIns();
      await showNewest(page);
      await draw("conversation");
      for (const tab of ["webhooks", "faults"]) {
        await page.locator(`#${tab}-tab`).click();
        await draw(tab);
      }
      await page.locator("#code").click();
      await shows(page, "#notice", "Copied");
      await page.locator("#setup-toggle").click();
      await draw("setup");
      await page.locator("#reset").click();
      await draw("dialog");
      await page.context().close();
    }
  }
}

/** People sign in, in several ways and with several results. */
async function signIns() {
  await sandbox.send(OTHER_NUMBER, "Northwind");
  await sandbox.startReverse("+33612345678", "Northwind24");
  await sandbox.post("/sandbox/advance", { seconds: 95 });
  const first = await sandbox.send(NUMBER, "MyApp");
  await sandbox.verify(first.otp_id, "123456");
  const session = await sandbox.startReverse(NUMBER, "MyApp2024", "--success-url", "https://myapp.com/otp-verified");
  await sandbox.post("/sandbox/text", { from: NUMBER, to: session.to, body: "MyApp2024" });
  await sandbox.post("/sandbox/advance", { seconds: 48 });
  await sandbox.post("/sandbox/fail", { fault: "status", status: 503, endpoint: "new" });
  await sandbox.send(NUMBER, "MyApp");
  await sandbox.post("/sandbox/fail", {
    fault: "status",
    status: 429,
    retry_after: 5,
    number: "+4915123456789",
    always: true,
  });
  await sandbox.post("/sandbox/fail", { fault: "delay", seconds: 2, times: 3, endpoint: "verify" });
  await sandbox.startReverse(NUMBER, "MyApp2025");
  await sandbox.send(NUMBER, "MyApp");
}

async function showNewest(page) {
  await shows(page, "#faults-tab", "2");
  await page.locator(".phone", { hasText: NUMBER }).click();
  await shows(page, "#messages", "MyApp2024");
  await page.locator("#requests summary", { hasText: "503" }).click();
  await page.locator("#requests details[open] pre").first().waitFor();
  await sandbox.send(OTHER_NUMBER, "Northwind");
  await shows(page, ".unread", "new");
  // Nothing looks as if the pointer were on it.
  await page.mouse.move(0, 0);
}

/** Draws with the font Inter wherever the machine's own font would be used. */
async function useInter(page) {
  await page.route("**/page.css", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: (await response.text()).replaceAll("system-ui", "Inter, system-ui") });
  });
  await page.reload();
}
