// Goes through the dashboard at URL as a person would, in Chromium: signs in, looks at every page at 360 and 1440 px, light and dark,
// and fails on what axe-core finds serious, on what the policy of the pages stops, on a page wider than the screen.
// node look.mjs NAME URL TOKEN PATH…    pictures go to shots/NAME-…

import { mkdirSync } from "node:fs";
import { launch, serious } from "./page.mjs";

const [name, url, token, ...paths] = process.argv.slice(2);
const here = new URL(".", import.meta.url).pathname;
mkdirSync(`${here}shots`, { recursive: true });
const wrong = [];

const browser = await launch();

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
      // By the keyboard alone, which is heard once the field has the focus by itself.
      await page.waitForSelector("#token:focus");
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
        const found = await serious(page);
        for (const { id, help, nodes } of found) wrong.push(`${where(path)}: ${id}: ${help}: ${nodes}`);
      }
    }
  }
}
await browser.close();
for (const line of new Set(wrong)) console.log(line);
process.exit(wrong.length ? 1 : 0);
