import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { lookAtBoard, screens, type View } from '../../support/board-look.ts'
import { chromiumPath, hasChromium } from '../../support/browser.ts'
import { boardInMemory, documents } from './look-world.ts'

/** Kept by CI: what a person would have seen. */
const artifacts = join(import.meta.dirname, '../../../artifacts/look')

const strategy = 'mixture-with-a-long-name'
const views: View[] = [
  {
    view: 'dataflow?run=multi-actor-7',
    shows: ['.flow .station', '.topics tbody tr'],
    says: ['Dataflow of multi-actor-7'],
  },
  { view: 'dataflow?run=multi-actor-7&station=label+sink', shows: ['.panel .reads'], says: ['labels.topic'] },
  { view: 'dataflow?run=multi-actor-7&topic=winnow.documents', shows: ['.panel .partitions'], says: ['Last records'] },
  {
    view: 'actors?run=multi-actor-7',
    shows: [
      'figure[data-name^="rewards-topic"] svg',
      '.samples',
      'figure[data-name^="gain-"] svg',
      '.alternatives tr.chosen',
      '.stability dd',
    ],
    says: ['Literature and Art', 'Does it help?', 'best possible', 'rounds 2 to 3'],
  },
  { view: 'actors?run=random-7', shows: ['.told'], says: ['random-7 is a control'] },
  { view: 'selection?run=multi-actor-7', shows: ['figure[data-name^="lift-"] svg'], says: [`25.0% of ${documents}`] },
  { view: 'selection?run=multi-actor-7&round=0', shows: ['figure[data-name^="lift-"] svg'], says: ['drawn at random'] },
  { view: `selection?run=${strategy}`, shows: ['.strata tbody tr'], says: ['at least 70 tokens', 'Gumbel'] },
  { view: 'selection?run=multi-actor-8', shows: ['.missing'], says: ['There is no run multi-actor-8'] },
  {
    view: 'training?smooth=0.8',
    shows: ['figure[data-name="loss-against-control"] svg', 'figure[data-name="loss-training"] svg'],
    says: ['random-7 (control)', 'Smoothed; faint: as reported.'],
  },
  {
    view: 'documents?run=multi-actor-7&q=whale&id=1099511627781',
    shows: ['.results mark', '.explanations'],
    says: ['theta × weight'],
  },
  {
    view: `documents?run=${strategy}&id=1099511627781`,
    shows: ['.explanations'],
    says: ['not in the pool', /rank.*threshold/],
  },
  {
    view: 'dead-letters?at=1',
    shows: ['.letter .bytes', '.letters tbody tr'],
    says: ['7 dead letters', 'has no field'],
  },
  {
    view: 'runs?a=multi-actor-7&b=random-7',
    shows: ['.differences tbody tr', 'figure[data-name^="overlap-"] svg', '.ledger tbody tr'],
    // 6 * 590,000 * 163,840
    says: ['sampleDocuments', 'recorded-only', '5.80e11', 'together, shared work once'],
  },
  { view: `runs?a=multi-actor-7&b=${strategy}`, shows: ['.differences tbody tr'], says: ['selection.strategy'] },
]

test.skipIf(!hasChromium)(
  `the board can be read on a desk and on a phone, in light and in dark${hasChromium ? '' : ` (skipped: no Chromium at ${chromiumPath})`}`,
  { timeout: 240_000 },
  async () => {
    const { url } = await boardInMemory()
    mkdirSync(artifacts, { recursive: true })
    const problems: string[] = []
    for (const screen of screens) {
      const picture = async (page: Page, view: string) => {
        const name = `${screen.colorScheme}-${screen.width}-${view.replaceAll(/[^a-z0-9]+/gi, '-')}.png`
        await page.screenshot({ path: join(artifacts, name) })
      }
      problems.push(...(await lookAtBoard(url, screen, views, picture)))
    }
    expect(problems).toEqual([])
  },
)
