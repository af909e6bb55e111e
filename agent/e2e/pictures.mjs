// Takes pictures of Home Assistant's pages for the README.
// Arguments: address and folder; and for each picture its name, its height, a path,
// and the entity whose details are opened then, or "". The first thing that folds
// out is opened too.
// In the environment: TOKEN, PLAYWRIGHT (a folder in which playwright-core is
// installed) and CHROMIUM, the browser.
import { createRequire } from "node:module";
const { chromium } = createRequire(process.env.PLAYWRIGHT + "/")("playwright-core");

const [url, folder, ...pages] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
});
const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
await page.addInitScript(
  ([hassUrl, access_token]) => {
    const expires_in = 86400;
    localStorage.setItem(
      "hassTokens",
      JSON.stringify({
        hassUrl,
        clientId: hassUrl + "/",
        access_token,
        refresh_token: "",
        expires_in,
        expires: Date.now() + expires_in * 1000,
        token_type: "Bearer",
      }),
    );
    localStorage.setItem("dockedSidebar", '"always_hidden"');
  },
  [url, process.env.TOKEN],
);
for (let i = 0; i < pages.length; i += 4) {
  const [name, height, path, entityId] = pages.slice(i, i + 4);
  await page.setViewportSize({ width: 1280, height: Number(height) });
  await page.goto(url + path);
  await page.waitForTimeout(8000); // nothing tells when all cards are drawn
  if (entityId) {
    await page.evaluate(
      (detail) => document.querySelector("home-assistant").dispatchEvent(new CustomEvent("hass-more-info", { detail })),
      { entityId, view: "details" },
    );
    await page.waitForTimeout(2000);
  }
  const fold = page.locator("details > summary").first(); // looks into shadow roots too
  if ((await fold.count()) && !entityId) await fold.click();
  await page.waitForTimeout(500);
  await page.screenshot({ path: `${folder}/${name}.png` });
}
await browser.close();
