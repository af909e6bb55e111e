// Opens every screen of the page in a browser, narrow and wide, light and dark, with
// all that folds unfolded, and prints what axe-core finds, what scrolls sideways and
// what the browser complains of: one line each. Arguments: the page's address, the
// id of a device, and a folder for pictures, which may be left out.
// In the environment: PLAYWRIGHT (a folder in which playwright-core and axe-core are
// installed), CHROMIUM (the browser, if not /usr/bin/chromium), PASSWORD of the page.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(process.env.PLAYWRIGHT + "/");
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const [, , base, device, folder] = process.argv;
const screens = {
	overview: "", todo: "todo", "todo-by-device": "todo?by=device", devices: "devices",
	unchecked: "unchecked", health: "health", device: "device/" + device, login: "login",
};

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
for (const colorScheme of ["light", "dark"]) {
	for (const width of [390, 1280, 1920]) {
		const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme, bypassCSP: true });
		const page = await context.newPage();
		const say = (screen, what) => console.log(`${screen} ${width} ${colorScheme}: ${what}`);
		page.on("pageerror", e => say(page.url(), e));
		await page.goto(base + "login");
		await page.fill("input[type=password]", process.env.PASSWORD);
		await page.click("main button");
		await page.waitForURL(base);
		for (const [name, path] of Object.entries(screens)) {
			await page.goto(base + path);
			if (folder) await page.screenshot({ path: `${folder}/${name}-${width}-${colorScheme}.png` });
			await page.evaluate(() => document.querySelectorAll("details").forEach(d => { d.open = true; }));
			await page.addScriptTag({ content: axe });
			const found = await page.evaluate(() => window.axe.run());
			for (const v of found.violations) say(name, `${v.id}: ${v.nodes[0].html}`);
			if (await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)) say(name, "scrolls sideways");
		}
		await context.close();
	}
}
await browser.close();
