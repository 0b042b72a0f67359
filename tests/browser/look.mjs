// Goes through the dashboard at URL as a person would, in Chromium: signs in, looks at every page at 360 and 1440 px, light and dark,
// and fails on what axe-core finds serious, on what the policy of the pages stops, on a page wider than the screen.
// node look.mjs NAME URL TOKEN PATH…    pictures go to shots/NAME-…

import { readFileSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [name, url, token, ...paths] = process.argv.slice(2);
const here = new URL(".", import.meta.url).pathname;
mkdirSync(`${here}shots`, { recursive: true });
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const wrong = [];

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync"],
});

// Without a script every page can be read: the pictures are of that, too.
for (const javaScriptEnabled of [true, false]) {
  for (const colorScheme of ["light", "dark"]) {
    for (const width of [360, 1440]) {
      const context = await browser.newContext({ colorScheme, javaScriptEnabled, viewport: { width, height: 900 } });
      const page = await context.newPage();
      const where = (path) => `${path} ${width} ${colorScheme}${javaScriptEnabled ? "" : " without script"}`;
      let now = "/sign-in";
      page.on("console", (message) => {
        if (message.type() === "error") wrong.push(`${where(now)}: ${message.text()}`);
      });
      page.on("request", (request) => {
        if (!request.url().startsWith(url)) wrong.push(`${where(now)}: asks for ${request.url()}`);
      });
      await page.goto(`${url}/`);
      await judge(page, now, "sign-in");
      // By the keyboard alone.
      await page.keyboard.type(token);
      await page.keyboard.press("Enter");
      await page.waitForURL(`${url}/services`);
      for (const path of paths) {
        now = path;
        await page.goto(url + path);
        if (javaScriptEnabled) {
          await page.evaluate(() => window.scrollTo(0, document.body.scrollHeight));
          await page.waitForTimeout(300);
          await page.evaluate(() => window.scrollTo(0, 0));
        }
        await judge(page, path, path.slice(1).replaceAll(/[/?=]/g, "-"));
      }
      await context.close();

      async function judge(page, path, what) {
        const wide = javaScriptEnabled && (await page.evaluate(() => document.documentElement.scrollWidth));
        if (wide > width) wrong.push(`${where(path)}: ${wide} px wide`);
        if (!javaScriptEnabled) return;
        await page.screenshot({ path: `${here}shots/${name}-${what}-${width}-${colorScheme}.png`, fullPage: true });
        const found = await run(page);
        for (const { id, help, nodes } of found) wrong.push(`${where(path)}: ${id}: ${help}: ${nodes}`);
      }
    }
  }
}
await browser.close();
for (const line of new Set(wrong)) console.log(line);
process.exit(wrong.length ? 1 : 0);

// Through the debugger, as the policy of a page lets no script of ours in.
async function run(page) {
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
