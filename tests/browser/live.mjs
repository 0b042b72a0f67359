// Does everything that a person does with a service, in Chromium on a real operator, by the keyboard alone: signs in by LINK, creates it,
// edits its limits while it runs, links it, sees its password, rotates it, and deletes it after the refusal. Fails on what axe-core
// finds serious on the way. node live.mjs LINK [PICTURES]

import { mkdirSync } from "node:fs";
import { launch, serious } from "./page.mjs";

const [link, pictures] = process.argv.slice(2);
const url = new URL(link).origin;
const browser = await launch();
const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: "light" });
const page = await context.newPage();
const wrong = [];
page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));
page.on("request", (request) => request.url().startsWith(url) || wrong.push(`asks for ${request.url()}`));

// Tab until it has the focus: what cannot be reached so, fails.
async function to(selector) {
  await page.waitForSelector(selector);
  for (let tries = 0; tries < 150; tries++) {
    if (await page.evaluate((wanted) => document.activeElement?.matches(wanted), selector)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`the keyboard never reaches ${selector} on ${page.url()}`);
}
async function enter(selector) {
  await to(selector);
  await Promise.all([page.waitForEvent("load"), page.keyboard.press("Enter")]);
}
async function type(selector, text) {
  await to(selector);
  await page.keyboard.press("Control+A");
  await page.keyboard.type(text);
}
// Of itself: the page is not loaded again.
async function comes(selector, text, seconds = 90) {
  const found = ([selector, text]) => document.querySelector(selector)?.innerText.includes(text);
  await page.waitForFunction(found, [selector, text], { timeout: seconds * 1000 }).catch(async () => {
    throw new Error(`${selector} never says "${text}": ${await page.innerText("main")}`);
  });
}
async function look(what) {
  for (const { id, help, nodes } of await serious(page)) wrong.push(`${what}: ${id}: ${help}: ${nodes}`);
}
async function picture(name, width, colorScheme) {
  if (!pictures) return;
  mkdirSync(pictures, { recursive: true });
  await page.emulateMedia({ colorScheme });
  await page.setViewportSize({ width, height: 900 });
  await page.waitForTimeout(300);
  await page.screenshot({ path: `${pictures}/${name}.png` });
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.emulateMedia({ colorScheme: "light" });
}
const service = `${url}/services/postgres/main`;

await page.goto(link);
await look("sign-in");
await enter("button.primary");
await comes("main", "No services yet");
await look("no services");

await enter("a[href='/create']");
await type("#name", "main");
await type("[name='of-database']", "appdb");
await type("[name='of-username']", "appuser");
await type("#memory", "256Mi");
await enter("button[value='plan']");
await comes("main", "It would be made");
await look("create");
await picture("create", 1440, "light");
await enter("button[value='save']");
if (page.url() !== service) throw new Error(`it is not there: ${page.url()}: ${await page.innerText("main")}`);
await comes("#state", "Ready", 180);
await look("detail");

await enter(`a[href$='/limits']`);
await type("#memory", "320Mi");
await enter("button[value='plan']");
await comes("main", "256Mi");
await look("limits");
await enter("button[value='save']");
await comes("#runtime", "320Mi");

await page.goto(`${url}/projects`);
await type("#name", "shop");
await enter("form[action='/projects'] button");
await comes("main", "production");
await page.goto(service);
await enter("form[action='/links'] button");
await comes("#ties", "Ready");
await look("linked");
await page.goto(`${url}/projects`);
await look("projects");

await page.goto(service);
await enter("form[action$='/reveal'] button");
const first = await page.innerText(".connection");
if (/••/.test(first)) throw new Error(`nothing is revealed: ${first}`);
await page.goto(service);
await enter("button[value='rotate']");
await page.waitForTimeout(1000);
await comes("#state", "Ready");
await enter("form[action$='/reveal'] button");
if ((await page.innerText(".connection")) === first) throw new Error("the password is the same");
await page.goto(service);
await page.waitForTimeout(6000);
await picture("service", 1440, "light");
await picture("service-360", 360, "dark");
await page.goto(`${url}/services`);
await picture("services", 1440, "dark");

const drop = async (name) => {
  await page.goto(`${service}/delete`);
  await type("#confirm", name);
  await enter("button.danger");
};
await drop("other");
await comes("main", "nothing was deleted");
await drop("main");
await comes("main", "is referred to by");
await look("refused");
await enter("form[action='/links/remove'] button");
await comes("#ties", "None yet", 60);
await drop("main");
await page.goto(`${url}/services`);
await page.goto(`${url}/settings`);
await comes("main", "PasswordRevealed");
await look("settings");

await browser.close();
for (const line of new Set(wrong)) console.log(line);
process.exit(wrong.length ? 1 : 0);
