import { existsSync } from "node:fs"
import { type Browser, chromium } from "playwright-core"

const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(existsSync)

/** The reason why tests in a browser are skipped; undefined: there is one. */
export const noBrowser = executablePath === undefined ? "no Chromium is installed" : undefined

/** Without a process that draws in the place of a GPU. */
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-software-rasterizer"]

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: executablePath!, args: FLAGS })
}
