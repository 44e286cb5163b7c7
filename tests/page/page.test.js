import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { OTHER_HOST, ROOT, Sandbox, isLive, launch, open, overflow, shows, showsCount, violations } from "./support.js";

const NUMBER = "+14155552671";
const OTHER_NUMBER = "+447911123456";

let browser;

before(async () => {
  browser = await launch();
});

after(() => browser?.close());

/** A test with a sandbox and its page, which must have no problems at the end. */
function pageTest(name, body) {
  test(name, { timeout: 60_000 }, async (t) => {
    const sandbox = await Sandbox.start("--port", "0");
    t.after(() => sandbox.stop());
    const page = await open(browser, sandbox.url);
    t.after(() => page.context().close());
    await body({ sandbox, page, t });
    assert.deepEqual(page.problems, []);
  });
}

const clipboard = (page) => page.evaluate(() => navigator.clipboard.readText());
const codeOf = (page) => page.locator("#code .digits").textContent();
const focusedId = (page) => page.evaluate(() => document.activeElement.id);
const valueOf = (page, selector) => page.locator(selector).inputValue();

pageTest("a text appears without a reload, and its code can be copied and verifies", async ({ sandbox, page }) => {
  await page.locator("#setup").waitFor();
  const sent = await sandbox.send(NUMBER);
  assert.equal(sent.event, "sent");

  await shows(page, ".phone", NUMBER);
  await shows(page, "#messages .message", "Your MyApp code is");
  const code = await codeOf(page);
  assert.match(code, /^[0-9]{6}$/);
  assert.ok((await page.locator(".message .bubble").textContent()).includes(code));
  await shows(page, "#announcer[aria-live=polite]", `Message to ${NUMBER}: Your MyApp code is ${code}`);

  await page.locator("#code").click();
  await shows(page, "#notice[aria-live=polite]", `Copied code ${code}.`);
  assert.equal(await clipboard(page), code);

  const check = await sandbox.verify(sent.otp_id, await clipboard(page));
  assert.deepEqual([check.event, check.exitStatus], ["verified", 0]);
});

pageTest("the newest code is the one that a key copies", async ({ sandbox, page }) => {
  await page.keyboard.press("c");
  await shows(page, "#notice", "No code to copy yet.");
  await sandbox.send(NUMBER);
  await sandbox.send(NUMBER);
  await showsCount(page, ".message", 2);
  const newest = (await page.locator(".message .bubble").last().textContent()).match(/\d{6}/)[0];

  await page.keyboard.press("c");
  await shows(page, "#notice", `Copied code ${newest}.`);
  assert.equal(await clipboard(page), newest);
});

pageTest("single keys do nothing while someone types, or when turned off", async ({ sandbox, page }) => {
  await sandbox.send(NUMBER);
  await shows(page, ".phone", NUMBER);
  await page.locator("#text-body").pressSequentially("ct/c");
  assert.equal(await valueOf(page, "#text-body"), "ct/c");
  assert.equal(await focusedId(page), "text-body");
  assert.equal(await page.locator("#notice").textContent(), "");

  await page.locator("#shortcuts").uncheck();
  await page.keyboard.press("/");
  assert.equal(await focusedId(page), "shortcuts");
  await page.reload();
  assert.equal(await page.locator("#shortcuts").isChecked(), false);
  await page.locator("#shortcuts").check();
  await page.keyboard.press("/");
  assert.equal(await focusedId(page), "filter-text");
});

pageTest("the link of a session is the tap on the phone", async ({ sandbox, page }) => {
  await sandbox.send(OTHER_NUMBER);
  await shows(page, "#phone-title", OTHER_NUMBER);
  const session = await sandbox.startReverse(NUMBER, "My App+2024");
  await shows(page, ".session .badge", "pending");
  await shows(page, ".session .left-time", /^(10:00|9:5\d) left$/);

  await page.locator(".session a").click();
  assert.equal(page.url(), `${sandbox.url}/`);
  await shows(page, "#phone-title", NUMBER);
  assert.equal(await valueOf(page, "#text-to"), session.to);
  assert.equal(await valueOf(page, "#text-body"), "My App+2024");
  assert.equal(await focusedId(page), "text-send");

  await page.locator("#text-send").click();
  await shows(page, "#notice", "The session is verified.");
  await shows(page, ".session .badge", "verified");
  await shows(page, ".message.sent", "My App+2024");
  assert.equal(await page.locator(".session a").isVisible(), false);
  const status = await sandbox.reverseStatus(session.otp_id);
  assert.deepEqual([status.status, status.exitStatus], ["verified", 0]);
});

pageTest("each phone keeps its own unsent text, and its unread mark until it is chosen", async ({ sandbox, page }) => {
  await sandbox.send(NUMBER);
  await shows(page, "#phone-title", NUMBER);
  await page.locator("#text-body").fill("for the first");
  await sandbox.send(OTHER_NUMBER);
  await shows(page, ".phone", OTHER_NUMBER);
  await shows(page, ".phone .unread", "1 new");
  assert.equal(await page.title(), "(1) Contiguity sandbox");
  assert.equal(await page.locator("#phone-title").textContent(), NUMBER);
  assert.ok((await page.locator(".phone").first().textContent()).includes(OTHER_NUMBER), "the newest phone is first");

  await page.locator(".phone", { hasText: OTHER_NUMBER }).click();
  await shows(page, "#phone-title", OTHER_NUMBER);
  assert.equal(await valueOf(page, "#text-body"), "");
  await showsCount(page, ".unread", 0);
  await page.locator(".phone", { hasText: NUMBER }).click();
  assert.equal(await valueOf(page, "#text-body"), "for the first");
});

pageTest("a text that the sandbox refuses stays, and says why", async ({ sandbox, page }) => {
  await sandbox.send(NUMBER);
  await page.locator("#text-to").fill("12345");
  await page.locator("#text-body").fill("hello");
  await page.locator("#text-send").click();
  await shows(page, "#notice.error", "must be a phone number");
  assert.equal(await valueOf(page, "#text-body"), "hello");
  // Chromium logs each response with status 400.
  assert.match(page.problems.join(), /^Failed to load resource: .* 400 /);
  page.problems.length = 0;
});

pageTest("the clock moves, and a session expires", async ({ sandbox, page }) => {
  const session = await sandbox.startReverse(NUMBER, "MyApp2024");
  await shows(page, ".session .badge", "pending");
  const clock = () => page.locator("#now").textContent().then(Date.parse);
  const before = await clock();

  await page.locator("#seconds").fill("90");
  await page.locator("#clock button", { hasText: "Advance" }).click();
  await shows(page, "#notice", "The clock moved forward by 90 s.");
  await shows(page, ".session .left-time", /^8:[0-3]\d left$/);
  await page.locator("#clock button", { hasText: "+15 min" }).click();
  await shows(page, ".session .badge", "expired");
  assert.ok((await clock()) - before >= (15 * 60 + 90) * 1000);
  assert.equal(await page.locator(".session a").isVisible(), false);
  assert.equal((await sandbox.reverseStatus(session.otp_id)).status, "expired");
});

pageTest("the time left runs down by itself", async ({ sandbox, page }) => {
  await page.clock.install();
  await sandbox.startReverse(NUMBER, "MyApp2024");
  await shows(page, ".session .left-time", /left/);
  await page.clock.runFor(61_000);
  await shows(page, ".session .left-time", /^8:5\d left$/);
  await page.clock.runFor(9 * 60_000);
  await shows(page, ".session .badge", "expired");
});

pageTest("a fault reaches the next request, and only that one", async ({ sandbox, page }) => {
  await page.locator("#faults-tab").click();
  await page.locator("#fault [name=after_acting]").check();
  await page.locator("#fault [name=endpoint]").selectOption("new");
  await page.locator("#fault [name=number]").fill(NUMBER);
  await page.locator("#fault button").click();
  await shows(page, ".fault-item", `nextStatus 503 · after acting · on new · for ${NUMBER}`);

  assert.equal((await sandbox.send(OTHER_NUMBER)).event, "sent");
  const failed = await sandbox.send(NUMBER);
  assert.deepEqual([failed.event, failed.status, failed.may_have_sent], ["error", 503, true]);
  await showsCount(page, ".fault-item", 0);
  await shows(page, ".phone", NUMBER);
  assert.equal((await sandbox.send(NUMBER)).event, "sent");

  await page.locator("#requests-tab").click();
  await shows(page, "#requests summary", "503");
});

pageTest("each fault can be added, and all are removed", async ({ sandbox, page }) => {
  await page.locator("#faults-tab").click();
  const form = page.locator("#fault");
  for (const [fault, listed] of [
    ["delay", "Delay · 2 s"],
    ["drop_before", "Drop before acting"],
    ["drop_after", "Drop after acting"],
    ["half", "Half a response"],
    ["garbage", "Garbage"],
  ]) {
    await form.locator("[name=fault]").selectOption(fault);
    await form.locator("[name=times]").fill("3");
    await form.locator("button").click();
    await shows(page, ".fault-item", `next 3${listed}`);
  }
  await page.locator("#heal").click();
  await showsCount(page, ".fault-item", 0);

  await form.locator("[name=fault]").selectOption("status");
  await form.locator("[name=status]").fill("403");
  await form.locator("[name=retry_after]").fill("5");
  await form.locator("[name=always]").check();
  await form.locator("button").click();
  await shows(page, ".fault-item", "alwaysStatus 403 · Retry-After 5 s");
  for (let call = 0; call < 2; call += 1) assert.equal((await sandbox.send(NUMBER)).status, 403);
  await page.locator("#heal").click();
  await shows(page, "#no-faults", "None.");
  assert.equal((await sandbox.send(NUMBER)).event, "sent");
});

pageTest("the log is filtered by text, endpoint and status", async ({ sandbox, page }) => {
  const sent = await sandbox.send(NUMBER);
  await sandbox.send(OTHER_NUMBER, "Northwind");
  await sandbox.verify(sent.otp_id, "000000");
  await sandbox.startReverse(NUMBER, "MyApp2024");
  await sandbox.post("/otp/new", {});
  await sandbox.post("/otp/unknown", {});
  await sandbox.post("/sandbox/fail", { fault: "drop_before" });
  await assert.rejects(sandbox.post("/otp/resend", {}));
  const matches = async (count) => {
    await showsCount(page, "#requests > li", count);
    if (count < 7) await shows(page, "#no-requests", `${count} of 7 requests match.`);
  };
  await showsCount(page, "#requests > li", 7);

  await page.keyboard.press("/");
  await page.keyboard.type("northWIND");
  await matches(1);
  await page.locator("#filter-text").fill("no such text");
  await matches(0);
  await page.locator("#filter-text").fill("");
  for (const [endpoint, count] of [
    ["POST /otp/new", 3],
    ["POST /otp/verify", 1],
    ["POST …/reverse/initiate", 1],
    ["GET …/reverse/verify", 0],
    ["Other", 1],
    ["Any endpoint", 7],
  ]) {
    await page.locator("#filter-endpoint").selectOption(endpoint);
    await matches(count);
  }
  for (const [status, count] of [
    ["2xx", 4],
    ["4xx", 2],
    ["5xx", 0],
    ["Dropped", 1],
  ]) {
    await page.locator("#filter-status").selectOption(status);
    await matches(count);
  }
  // New requests are filtered, too.
  await page.locator("#filter-status").selectOption("4xx");
  await sandbox.post("/otp/verify", {});
  await showsCount(page, "#requests > li", 3);
});

pageTest("the log shows bodies, and hides keys", async ({ sandbox, page }) => {
  await sandbox.post("/otp/new", { to: NUMBER, language: "en", name: "MyApp", token: "contiguity_sk_live_secret" });
  await page.locator("#requests summary").click();
  await shows(page, "#requests [data-field=body]", `{\n  "to": "${NUMBER}",\n  `);
  await shows(page, "#requests [data-field=response]", '"otp_id": "otp_');
  const log = await page.locator("#requests").textContent();
  assert.ok(log.includes("contiguity_sk_•••••"), log);
  assert.ok(!log.includes("secret") && !log.includes("contiguity_sk_sandbox"), log);
});

pageTest("webhook attempts are listed", async ({ sandbox, page }) => {
  const url = "https://myapp.com/webhook/otp-verified";
  const session = await sandbox.startReverse(NUMBER, "MyApp2024", "--success-url", url);
  await sandbox.post("/sandbox/text", { from: NUMBER, to: session.to, body: "MyApp2024" });
  await shows(page, "#webhooks-tab", "1");
  await page.locator("#webhooks-tab").click();
  await shows(page, ".webhook", url);
  await shows(page, ".webhook", "attempt 1");
  await shows(page, ".webhook", "not sent: the sandbox posts to loopback hosts only");
});

pageTest("what strangers write is shown as text", async ({ sandbox, page }) => {
  const hostile = [`<img src=x onerror="document.title='owned'">`, "<script>document.title = 'owned'</script>"];
  for (const name of hostile) {
    await sandbox.send(NUMBER, name);
    await shows(page, ".message .bubble", `Your ${name} code is`);
  }
  await sandbox.startReverse(NUMBER, "<b>&amp;</b>");
  await shows(page, ".session .factor", "<b>&amp;</b>");
  await page.locator(".session a").click();
  await page.locator("#text-send").click();
  await shows(page, ".message.sent .bubble", "<b>&amp;</b>");
  for (const summary of await page.locator("#requests summary").all()) await summary.click();
  await shows(page, "#requests [data-field=body]", "onerror");

  assert.equal(await page.title(), "Contiguity sandbox");
  assert.equal(await page.locator("img, b, script:not([src='/page.js'])").count(), 0);
});

test("the page's script creates no markup from text", () => {
  const files = ["index.html", "page.css", "page.js"].map((name) => path.join(ROOT, "src/sandbox/page", name));
  const [html, css, script] = files.map((file) => readFileSync(file, "utf8"));
  assert.doesNotMatch(script, /innerHTML|outerHTML|insertAdjacentHTML|document\.write|setHTML|\beval\(|Function\(/);
  assert.doesNotMatch(html, /\sstyle=|\son[a-z]+=|<style|<script(?! type="module" src="\/page.js"><)/);
  assert.doesNotMatch(html + css, /(?<!xmlns=')https?:\/\/(?!www\.w3\.org)/);
  assert.ok(html.length + css.length + script.length < 60 * 1024, "the page is small");
});

pageTest("a change keeps focus, typed text, scroll position and open details", async ({ sandbox, page }) => {
  await page.setViewportSize({ width: 1280, height: 640 });
  for (let call = 0; call < 25; call += 1) {
    await sandbox.post("/otp/new", { to: NUMBER, language: "en", name: `App ${call}` });
  }
  await showsCount(page, ".message", 25);
  const messages = page.locator("#messages");
  const scrolled = () => messages.evaluate((list) => list.scrollHeight - list.clientHeight - list.scrollTop);
  assert.ok((await scrolled()) < 2, "the newest message is in view");

  await page.locator("#requests summary").nth(12).click();
  const topOfOpen = () => page.locator("#requests details[open]").evaluate((item) => item.getBoundingClientRect().top);
  await messages.evaluate((list) => (list.scrollTop = 100));
  await page.locator("#text-body").fill("half a sentence");
  await page.locator("#text-body").evaluate((input) => input.setSelectionRange(2, 4));
  const before = await topOfOpen();
  await page.locator("#messages").evaluate((list) => (list.firstElementChild.mark = "kept"));

  await sandbox.send(NUMBER, "Another");
  await shows(page, ".message", "Another");
  assert.equal(await messages.evaluate((list) => list.scrollTop), 100);
  assert.equal(await messages.evaluate((list) => list.firstElementChild.mark), "kept");
  assert.ok(Math.abs((await topOfOpen()) - before) <= 1, "the open request stays where it was");
  assert.equal(await focusedId(page), "text-body");
  assert.equal(await valueOf(page, "#text-body"), "half a sentence");
  assert.deepEqual(
    await page.locator("#text-body").evaluate((input) => [input.selectionStart, input.selectionEnd]),
    [2, 4],
  );

  // A phone that moves up keeps the focus.
  await sandbox.send(OTHER_NUMBER);
  await showsCount(page, ".phone", 2);
  await page.locator(".phone", { hasText: NUMBER }).focus();
  await sandbox.send(NUMBER, "Third");
  await shows(page, "#phones li:first-child", NUMBER);
  assert.equal(await page.evaluate(() => document.activeElement.dataset.number), NUMBER);
});

pageTest("the page claims nothing before it has loaded", async ({ sandbox, page }) => {
  await sandbox.send(NUMBER);
  let release;
  const released = new Promise((resolve) => (release = resolve));
  await page.route("**/sandbox/snapshot", async (route) => {
    await released;
    await route.continue();
  });
  const requested = page.waitForRequest("**/sandbox/snapshot");
  await page.reload();
  await requested;
  await page.locator("#filter-text").fill("new");
  for (const selector of ["#connection", "#now", "#loading"]) await shows(page, selector, "Loading…");
  for (const selector of ["#no-phones", "#no-sessions", "#no-requests", "#setup", "#setup-toggle"]) {
    assert.equal(await page.locator(selector).isVisible(), false, selector);
  }
  assert.equal(await page.locator("#connection").getAttribute("data-state"), "loading");

  release();
  await isLive(page);
  await shows(page, ".phone", NUMBER);
  assert.equal(await page.getByText("Loading…").filter({ visible: true }).count(), 0);
});

pageTest("the page reconnects to a sandbox that was restarted", async ({ sandbox, page, t }) => {
  await sandbox.send(NUMBER);
  await shows(page, ".phone", NUMBER);
  await sandbox.stop();
  await page.locator("#connection[data-state=reconnecting]").waitFor();

  const restarted = await Sandbox.start("--port", String(sandbox.port));
  t.after(() => restarted.stop());
  await isLive(page);
  await showsCount(page, ".phone", 0);
  await restarted.send(OTHER_NUMBER);
  await shows(page, "#phone-title", OTHER_NUMBER);

  page.problems = page.problems.filter((problem) => !problem.startsWith("Failed to load resource: net::ERR_"));
});

pageTest("the page reconnects when the stream of events was refused", async ({ sandbox, page }) => {
  let refusals = 0;
  await page.route("**/sandbox/events", (route) => {
    refusals += 1;
    return refusals === 1 ? route.fulfill({ status: 503, body: "" }) : route.continue();
  });
  await page.reload();
  await page.locator("#connection[data-state=reconnecting]").waitFor();
  await isLive(page);
  await sandbox.send(NUMBER);
  await shows(page, ".phone", NUMBER);
  assert.match(page.problems.join(), /^Failed to load resource: .* 503 [^,]*$/);
  page.problems.length = 0;
});

pageTest("everything is reset, after a question", async ({ sandbox, page }) => {
  await sandbox.send(NUMBER);
  await shows(page, ".phone", NUMBER);
  await page.locator("#reset").click();
  await page.locator("#reset-dialog").waitFor();
  assert.equal(await focusedId(page), "reset-cancel");
  await page.keyboard.press("Escape");
  assert.equal(await page.locator("#reset-dialog").isVisible(), false);
  assert.equal(await focusedId(page), "reset");
  assert.equal(await page.locator(".phone").count(), 1);

  await page.locator("#reset").click();
  await page.locator("#reset-confirm").click();
  await shows(page, "#notice", "The sandbox is reset.");
  await page.locator("#setup").waitFor();
  await showsCount(page, ".phone", 0);
  await shows(page, "#no-requests", "No requests yet.");
});

pageTest("a newcomer can copy the setup", async ({ sandbox, page }) => {
  await page.locator("[data-copies=variables]").click();
  await shows(page, "#notice", "Copied the environment variables.");
  assert.equal(
    await clipboard(page),
    `export CONTIGUITY_BASE_URL=${sandbox.url}\nexport CONTIGUITY_API_KEY=contiguity_sk_sandbox`,
  );
  await page.locator("[data-copies=curl]").click();
  await shows(page, "#notice", "Copied the curl command.");
  const words = (await clipboard(page)).replaceAll("\\\n", "").match(/'[^']*'|\S+/g);
  const [url, ...options] = words.slice(1).map((word) => word.replaceAll("'", ""));
  assert.deepEqual(
    options.filter((option) => option.startsWith("-")),
    ["-H", "-H", "-d"],
  );
  const [authorization, contentType, body] = options.filter((option) => !option.startsWith("-"));
  const response = await fetch(url, {
    method: "POST",
    headers: [authorization, contentType].map((header) => header.split(": ")),
    body,
  });
  assert.equal(response.status, 200);
  await shows(page, "#phone-title", NUMBER);

  await page.locator("#setup-toggle").click();
  await page.locator("#setup").waitFor();
  await page.locator(".phone").click();
  await shows(page, "#phone-title", NUMBER);
});

test("a code can be copied over plain http to another host", { timeout: 60_000 }, async (t) => {
  const sandbox = await Sandbox.start("--port", "0", "--allow-host", OTHER_HOST);
  t.after(() => sandbox.stop());
  const page = await open(browser, `http://${OTHER_HOST}:${sandbox.port}`);
  t.after(() => page.context().close());
  assert.equal(await page.evaluate(() => navigator.clipboard), undefined);
  await shows(page, "#variables", "export CONTIGUITY_ALLOW_INSECURE_HTTP=1");

  await sandbox.send(NUMBER);
  await page.locator("#code").waitFor();
  await page.locator("#code").focus();
  await page.keyboard.press("c");
  const code = await codeOf(page);
  await shows(page, "#notice", `Copied code ${code}.`);
  assert.equal(await focusedId(page), "code");
  await page.locator("#filter-text").focus();
  await page.keyboard.press("Control+V");
  assert.equal(await valueOf(page, "#filter-text"), code);
  assert.deepEqual(page.problems, []);
});

pageTest("copying and texting work by keyboard only", async ({ sandbox, page }) => {
  const sent = await sandbox.send(OTHER_NUMBER);
  await shows(page, "#phone-title", OTHER_NUMBER);
  const session = await sandbox.startReverse(NUMBER, "MyApp2024");
  await shows(page, ".session .badge", "pending");

  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  const box = await page.locator(".skip").boundingBox();
  assert.ok(box.width > 50 && box.height > 20, "the skip link is visible");
  await page.keyboard.press("Enter");
  await tabTo(page, "#code");
  const outline = await page.locator("#code").evaluate((button) => getComputedStyle(button).outlineStyle);
  assert.equal(outline, "solid");
  await page.keyboard.press("Enter");
  await shows(page, "#notice", "Copied code");
  assert.equal((await sandbox.verify(sent.otp_id, await clipboard(page))).event, "verified");

  await tabTo(page, ".session a");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Enter");
  await shows(page, ".session .badge", "verified");
  assert.equal((await sandbox.reverseStatus(session.otp_id)).status, "verified");

  await page.keyboard.press("t");
  await page.keyboard.type("hello");
  await page.keyboard.press("Enter");
  await shows(page, ".message.sent", "hello");
  await shows(page, ".message.sent", "no session waits for this text");

  await page.locator("#requests-tab").focus();
  await page.keyboard.press("ArrowRight");
  assert.equal(await focusedId(page), "webhooks-tab");
  assert.equal(await page.locator("#webhooks-panel").isVisible(), true);
  await page.keyboard.press("ArrowLeft");
  await tabTo(page, "#requests summary");
  await page.keyboard.press("Enter");
  await page.locator("#requests details[open]").waitFor();
});

async function tabTo(page, selector) {
  for (let presses = 0; presses < 40; presses += 1) {
    await page.keyboard.press("Tab");
    if (await page.evaluate((selector) => document.activeElement.matches(selector), selector)) return;
  }
  assert.fail(`${selector} cannot be reached by Tab`);
}

for (const width of [360, 1280]) {
  for (const colorScheme of ["light", "dark"]) {
    test(`no state has a violation or overflow, ${width} px, ${colorScheme}`, { timeout: 120_000 }, async (t) => {
      const sandbox = await Sandbox.start("--port", "0");
      t.after(() => sandbox.stop());
      const page = await open(browser, sandbox.url, { viewport: { width, height: 740 }, colorScheme });
      t.after(() => page.context().close());
      const check = async (state) => {
        assert.deepEqual(await violations(page), [], state);
        assert.equal(await overflow(page), 0, `${state} overflows`);
      };

      await page.locator("#setup").waitFor();
      await check("empty");

      await fill(sandbox);
      await shows(page, ".session .badge", "verified");
      await page.locator(".phone", { hasText: NUMBER }).click();
      for (const summary of await page.locator("#requests summary").all()) await summary.click();
      await page.locator("#code").click();
      await shows(page, "#notice", "Copied");
      await check("with data");
      for (const tab of ["webhooks", "faults"]) {
        await page.locator(`#${tab}-tab`).click();
        await check(tab);
      }
      await page.locator("#fault [name=fault]").selectOption("delay");
      await check("options of a fault");
      await page.locator("#setup-toggle").click();
      await check("setup");
      await page.locator("#reset").click();
      await check("dialog");
      await page.keyboard.press("Escape");

      assert.deepEqual(page.problems, []);
      await sandbox.stop();
      await page.locator("#connection[data-state=reconnecting]").waitFor();
      await check("reconnecting");
    });
  }
}

async function fill(sandbox) {
  await sandbox.send(OTHER_NUMBER, "long".repeat(100));
  await sandbox.send(OTHER_NUMBER, "right to left \u202e abc");
  await sandbox.send(NUMBER);
  const { to } = await sandbox.startReverse(
    NUMBER,
    "W".repeat(16),
    "--success-url",
    `https://a.example/${"x".repeat(200)}`,
  );
  await sandbox.post("/sandbox/text", { from: NUMBER, to, body: "W".repeat(16) });
  await sandbox.startReverse(NUMBER, "MyApp2025");
  await sandbox.post("/sandbox/text", { from: NUMBER, to, body: "unexpected".repeat(30) });
  await sandbox.post("/sandbox/fail", { fault: "status", status: 503 });
  await sandbox.post("/otp/verify", {});
  await sandbox.post("/sandbox/fail", { fault: "drop_after" });
  await sandbox.post(`/otp/${"path".repeat(50)}`, {}).catch(() => {});
  await sandbox.post("/sandbox/fail", { fault: "garbage", times: 3, number: NUMBER });
  await sandbox.post("/sandbox/fail", { fault: "status", status: 429, retry_after: 5, always: true, number: NUMBER });
}
