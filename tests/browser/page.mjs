// What both scripts need: a browser, and what axe-core says of a page.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export const launch = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync"],
  });

// What is serious. Through the debugger, as the policy of a page lets no script of ours in.
export async function serious(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("Page.enable");
  const { frameTree } = await session.send("Page.getFrameTree");
  const world = await session.send("Page.createIsolatedWorld", { frameId: frameTree.frame.id, worldName: "axe" });
  const evaluate = (expression, awaitPromise) =>
    session.send("Runtime.evaluate", { expression, contextId: world.executionContextId, awaitPromise, returnByValue: true });
  await evaluate(axe, false);
  const { result } = await evaluate(
    `axe.run({ resultTypes: ["violations"] }).then((found) => found.violations
      .filter((one) => ["serious", "critical"].includes(one.impact))
      .map(({ id, help, nodes }) => ({ id, help, nodes: nodes.slice(0, 3).map((node) => node.html.slice(0, 160)).join(" | ") })))`,
    true,
  );
  await session.detach();
  return result.value ?? [];
}
