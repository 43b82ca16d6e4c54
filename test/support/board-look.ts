import type { BrowserContext, Page } from 'playwright-core'
import { openBrowser } from './browser.ts'
import { until } from './kafka.ts'

const { illegible } = await import(new URL('./legible.js', import.meta.url).href)

/** Letters smaller than this are not read on a phone. */
const pixelsMin = 11
/** A machine may be busy. */
const patienceMs = 20_000
/** As high as the page; more is cut off by the browser. */
const heightMax = 8000

export const screens = [1440, 390].flatMap((width) =>
  (['light', 'dark'] as const).map((colorScheme) => ({ width, colorScheme })),
)
export type Screen = (typeof screens)[number]

/** A view of the board by its address, and what it must show. */
export interface View {
  readonly view: string
  /** What is there once the view is complete. */
  readonly shows: readonly string[]
  /** What its text contains. */
  readonly says: readonly (string | RegExp)[]
}

/**
 * Looks at views of a board in a real browser, as a person with this screen would: each shows and says what it should, its plots are drawn, its
 * letters are large and dark enough, nothing runs out of the screen sideways, nothing is loaded from elsewhere, and no script fails.
 * @param picture called with each view as it is, for instance to keep a screenshot
 * @returns a sentence for each problem
 */
export async function lookAtBoard(
  url: string,
  { width, colorScheme }: Screen,
  views: readonly View[],
  picture: (page: Page, view: string) => Promise<void> = async () => {},
): Promise<string[]> {
  const height = width < 500 ? 844 : 900
  const browser: BrowserContext = await openBrowser({ colorScheme, viewport: { width, height } })
  const problems: string[] = []
  let at = ''
  const problem = (what: string) => problems.push(`${at} at ${width}, ${colorScheme}: ${what}`)
  try {
    const page = await browser.newPage()
    page.on('pageerror', (error) => problem(error.message))
    page.on('console', (message) => message.type() === 'error' && problem(message.text()))
    page.on('request', (request) => {
      if (!request.url().startsWith(url) && request.url() !== 'about:blank') problem(`loads ${request.url()}`)
    })
    for (const { view, shows, says } of views) {
      at = view
      await page.setViewportSize({ width, height })
      // Nothing of the view before is left to be taken for this one.
      await page.goto('about:blank')
      await page.goto(`${url}/#/${view}`)
      for (const selector of shows)
        await page.waitForSelector(selector, { timeout: patienceMs }).catch(() => problem(`does not show ${selector}`))
      await drawn(page).catch(() => problem('is not drawn'))
      const text = (await page.locator('body').textContent()) ?? ''
      for (const said of says)
        if (typeof said === 'string' ? !text.includes(said) : !said.test(text)) problem(`does not say ${said}`)
      const [wide, high] = (await page.evaluate(
        '[document.documentElement.scrollWidth, document.documentElement.scrollHeight]',
      )) as [number, number]
      if (wide > width) problem(`is ${wide} pixels wide`)
      await page.setViewportSize({ width, height: Math.min(high, heightMax) })
      await drawn(page)
      const found: { looked: number; problems: string[] } = await page.evaluate(illegible, pixelsMin)
      if (found.looked < 10) problem(`has only ${found.looked} pieces of text to look at`)
      found.problems.forEach(problem)
      await picture(page, view)
    }
  } finally {
    await browser.close()
  }
  return problems
}

/** Not with waitForFunction, which the page's own policy forbids. */
const drawn = (page: Page): Promise<void> => until(async () => (await page.evaluate(isDrawn)) === true, patienceMs)

/** Nothing is being loaded, and every figure has its plot or says that there is nothing to plot. */
const isDrawn = `document.querySelector('main .loading') === null
  && [...document.querySelectorAll('main figure .frame')].every((frame) => frame.querySelector('svg, .empty, table') !== null)`
