import { existsSync } from 'node:fs'
import { type BrowserContext, type BrowserContextOptions, chromium } from 'playwright-core'

/** Debian's package; another one by WINNOW_CHROMIUM. */
export const chromiumPath = process.env.WINNOW_CHROMIUM ?? '/usr/bin/chromium'
export const hasChromium = existsSync(chromiumPath)

/** A headless Chromium with a fresh profile, which `close` removes; `args`: flags besides its own. */
export async function openBrowser({
  args = [],
  ...options
}: BrowserContextOptions & { args?: string[] } = {}): Promise<BrowserContext> {
  // Without a folder Playwright makes one, and removes it after Chromium's processes, which write to it until they end, have exited.
  return await chromium.launchPersistentContext('', {
    executablePath: chromiumPath,
    headless: true,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      ...args,
    ],
    acceptDownloads: true,
    viewport: { width: 1360, height: 900 },
    ...options,
  })
}
