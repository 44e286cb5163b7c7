// Starts the program `contiguity` and Chromium, and watches what the page does.

import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

export const ROOT = path.resolve(import.meta.dirname, "../..");

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** A name that is mapped to loopback. Browsers treat plain http to it as insecure. */
export const OTHER_HOST = "sandbox.test";

const BINARY = process.env.CONTIGUITY_BIN ?? build();

function build() {
  execFileSync("cargo", ["build", "--quiet", "--locked", "--features", "cli", "--bin", "contiguity"], {
    cwd: ROOT,
    stdio: "inherit",
  });
  return path.resolve(ROOT, process.env.CARGO_TARGET_DIR ?? "target", "debug/contiguity");
}

export class Sandbox {
  static async start(...options) {
    const child = spawn(BINARY, ["sandbox", "--json", ...options], { stdio: ["ignore", "pipe", "inherit"] });
    for await (const line of createInterface(child.stdout)) return new Sandbox(child, JSON.parse(line).url);
    throw new Error("the sandbox did not start");
  }

  constructor(child, url) {
    this.child = child;
    this.url = url.replace(/\/$/, "");
    this.port = Number(new URL(url).port);
  }

  async stop() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill("SIGTERM");
    await once(this.child, "exit");
  }

  /** Runs a command of the program, which is a program that uses the SDK. */
  run(args, input) {
    const env = { ...process.env, CONTIGUITY_BASE_URL: this.url, CONTIGUITY_API_KEY: "contiguity_sk_sandbox" };
    return new Promise((resolve) => {
      const child = execFile(BINARY, [...args, "--json"], { env }, (error, stdout) => {
        resolve({ exitStatus: error?.code ?? 0, ...JSON.parse(stdout.trim().split("\n").at(-1)) });
      });
      child.stdin.end(input);
    });
  }

  send(number, name = "MyApp") {
    return this.run(["send", number, "--name", name]);
  }

  verify(otpId, code) {
    return this.run(["verify", otpId], `${code}\n`);
  }

  startReverse(number, factor, ...options) {
    return this.run(["reverse", "start", number, "--factor", factor, ...options]);
  }

  reverseStatus(otpId) {
    return this.run(["reverse", "status", otpId]);
  }

  async post(call, body) {
    const response = await fetch(this.url + call, {
      method: "POST",
      headers: { Authorization: "Token contiguity_sk_sandbox", "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    return response.json();
  }
}

export function launch(options = {}) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      `--host-resolver-rules=MAP ${OTHER_HOST} 127.0.0.1`,
    ],
    ...options,
  });
}

/** Opens the page. `page.problems` collects what a page without problems does not have. */
export async function open(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  if (new URL(url).hostname !== OTHER_HOST) {
    await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: new URL(url).origin });
  }
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(`exception: ${error}`));
  page.on("console", (message) => {
    // Chromium reports violations of the Content-Security-Policy here as well.
    if (["error", "warning"].includes(message.type())) page.problems.push(message.text());
  });
  page.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (protocol !== "data:" && origin !== new URL(url).origin) page.problems.push(`request to ${request.url()}`);
  });
  await page.goto(url);
  await isLive(page);
  return page;
}

export const isLive = (page) => page.locator("#connection[data-state=live]").waitFor();

/** Waits until an element that matches has this text. */
export const shows = (page, selector, text) => page.locator(selector).filter({ hasText: text }).first().waitFor();

/** Waits until the number of visible elements is this. */
export function showsCount(page, selector, count) {
  const isReached = ([selector, count]) => {
    const isVisible = (element) => element.checkVisibility();
    return [...document.querySelectorAll(selector)].filter(isVisible).length === count;
  };
  return page.waitForFunction(isReached, [selector, count]);
}

/** Returns what axe-core finds, one line each. */
export async function violations(page) {
  await page.evaluate(AXE);
  const { passes, violations } = await page.evaluate(() => axe.run());
  if (passes.length < 10) throw new Error("axe-core checked nothing");
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`));
}

export const overflow = (page) =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
