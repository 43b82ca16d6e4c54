import { expect, onTestFinished, test } from 'vitest'
import { DeadLetter, topics } from '../../../schemas/index.ts'
import { startBoard } from '../../../services/board/board.ts'
import { trustedProxy } from '../../../services/board/identity.ts'
import { submitRun } from '../../../services/runs/registry.ts'
import { hasChromium, openBrowser } from '../../support/browser.ts'
import { memoryRuntime, parityRun } from '../../support/memory-runtime.ts'

const env = { WINNOW_BOARD_PROXY_SECRET: 'of-this-test', WINNOW_BOARD_OPERATORS: 'platform' }
const actions = { 'dead-letters?at=0': ['Re-drive all 1', 'Re-drive this one'], runs: ['Start replay'] }

test.skipIf(!hasChromium)(
  'to a visitor who may only read, the page offers no action and says why; to one who operates, all of them (skipped without Chromium)',
  { timeout: 120_000 },
  async () => {
    const runtime = await memoryRuntime()
    await submitRun(runtime, parityRun('one'))
    const letter = runtime.codec.encode(DeadLetter, {
      ...{ station: 'ingest', reason: 'no-text', message: 'row 1 has no field text', origin: 'part-0.jsonl:1' },
      ...{ topic: null, partition: null, offset: null, file: 'part-0.jsonl', line: 1, key: null },
      value: Buffer.from('{}'),
    })
    const producer = await runtime.kafka.producer()
    await producer.send([{ topic: topics.deadLetters.name, key: null, value: letter }])
    await producer.close()
    // Nothing is searched here.
    const clickHouse = { sql: {} } as unknown as typeof runtime.clickHouse
    const board = await startBoard(
      { ...runtime, kafka: runtime.kafka, clickHouse },
      { port: 0, proxy: trustedProxy(env)! },
    )
    onTestFinished(() => board.close())
    for (const [user, groups] of [
      ['ada@example.org', 'research'],
      ['bob@example.org', 'platform'],
    ] as const) {
      const browser = await openBrowser({
        extraHTTPHeaders: {
          'x-winnow-proxy-secret': env.WINNOW_BOARD_PROXY_SECRET,
          ...{ 'x-forwarded-email': user, 'x-forwarded-groups': groups },
        },
      })
      try {
        const page = await browser.newPage()
        for (const [view, buttons] of Object.entries(actions)) {
          await page.goto('about:blank')
          const told = page.waitForResponse((response) => response.url().endsWith('/api/visitor'))
          await page.goto(`${board.url}/#/${view}`)
          await (await told).finished()
          for (const name of buttons) {
            const button = page.getByRole('button', { name, exact: true })
            await button.waitFor()
            const refused = page.getByText(`${user} may read and change nothing`).first()
            if (groups === 'research') await refused.waitFor()
            expect([name, user, await button.isDisabled()]).toEqual([name, user, groups === 'research'])
            expect([name, user, await refused.isVisible()]).toEqual([name, user, groups === 'research'])
          }
        }
      } finally {
        await browser.close()
      }
    }
  },
)
