import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { expect, onTestFinished, test } from 'vitest'
import { topics } from '../../schemas/index.ts'
import { startBoard } from '../../services/board/board.ts'
import { startRunStations, startTrainer } from '../../services/host/run.ts'
import { submitRun } from '../../services/runs/registry.ts'
import { closeAll } from '../../services/runtime/service.ts'
import { chromiumPath, hasChromium, openBrowser } from '../support/browser.ts'
import { until } from '../support/kafka.ts'
import { fail, openWorld, type World } from './loop-world.ts'

/** Kept by CI: what a person would have seen. */
const artifacts = join(import.meta.dirname, '../../artifacts/board')

/** Two short runs over the same corpus, one of them without rewards. */
async function trainRuns(world: World) {
  const random = Object.fromEntries(
    world.config.actors.map(({ name, subcategories }) => [name, { subcategories, initialTheta: 0 }]),
  )
  const runs = [world.run('chosen'), world.run('control', { actors: random }, { sampleDocuments: 0 })]
  for (const run of runs) {
    await submitRun(world.runtime, run)
    const services = await startRunStations(world.runtime, run, world.model, { onFailure: fail })
    onTestFinished(() => closeAll(services))
    const trainer = await startTrainer(world.runtime, run, world.model, { onFailure: fail })
    onTestFinished(() => trainer.close())
    await trainer.done
  }
  return runs
}

async function refuseOne({ runtime }: World): Promise<void> {
  const producer = await runtime.kafka.producer()
  await producer.send([{ topic: topics.documents.name, key: 'bad', value: Buffer.from('no Avro at all') }])
  await producer.close()
}

const titleOf = hasChromium ? '' : ` (skipped: no Chromium at ${chromiumPath})`

test.skipIf(!hasChromium)(`the board shows what has happened, in a real browser${titleOf}`, async () => {
  const world = await openWorld(60)
  const [chosen, control] = await trainRuns(world)
  const board = await startBoard(world.runtime, { port: 0 })
  onTestFinished(() => board.close())
  mkdirSync(artifacts, { recursive: true })
  const browser = await openBrowser()
  onTestFinished(() => browser.close())
  const page = await browser.newPage()
  const problems: string[] = []
  page.on('pageerror', (error) => problems.push(error.message))
  page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
  page.on('request', (request) => {
    if (!request.url().startsWith(board.url) && !request.url().startsWith('blob:')) problems.push(request.url())
  })
  const show = async (view: string) => {
    // Nothing of the view before is left to be taken for this one.
    await page.goto('about:blank')
    await page.goto(`${board.url}/#/${view}`)
    await page.waitForSelector('main :is(figure, .card)')
  }
  const shot = (name: string) => page.screenshot({ path: join(artifacts, `${name}.png`), fullPage: true })

  try {
    await dataflow(world, page, chosen!.name, show)
    await shot('dataflow')
    await actors(page, world, chosen!.name, show)
    await shot('actors')
    await selection(page, chosen!.name, show)
    await shot('selection')
    await training(page, [chosen!.name, control!.name], show)
    await shot('training')
    await documents(page, world, chosen!.name, show)
    await shot('documents')
    await notThere(page, chosen!.name, show)
    await deadLetters(page, world, show)
    await shot('dead-letters')
    await runsAndReplay(page, [chosen!.name, control!.name], show)
    await shot('runs')
    await strategy(world, page, show)
    await shot('strategy')
    await keyboard(page, show)
    await phone(page, show, shot)
  } catch (error) {
    await shot('failure')
    throw error
  }
  // Nothing but the replay that was asked for with a word that there is not.
  expect(problems).toEqual([expect.stringContaining('400 (Bad Request)')])
})

type Show = (view: string) => Promise<void>

async function dataflow(world: World, page: Page, run: string, show: Show) {
  await show(`dataflow?run=${run}`)
  const stations = await page.locator('.flow .station .name').allTextContents()
  const actorNames = world.config.actors.map(({ name }) => name)
  expect(stations.sort()).toEqual(
    ['ingest', 'trainer', 'label sink', 'influence', 'console']
      .concat(actorNames.flatMap((name) => [`labeler ${name}`, `actor ${name}`]))
      .sort(),
  )
  // A station is a link to who is connected as it.
  const box = page.locator('.flow .station', { hasText: 'label sink' })
  await until(async () => ((await box.getAttribute('class')) ?? '').includes('here'))
  expect(await box.textContent()).toContain('2 members')
  await box.click()
  await page.waitForSelector('.panel .members tbody tr')
  expect(new URL(page.url()).hash).toContain('station=label+sink')
  expect(await page.locator('.panel .reads').textContent()).toContain('labels.kind')
  await page.keyboard.press('Escape')
  await page.waitForSelector('.panel', { state: 'detached' })
  expect(new URL(page.url()).hash).not.toContain('station')
  // How far the trainer has read, which no consumer group knows.
  const selections = page.locator('.topics tbody tr', { has: page.locator('td:first-child a:text-is("selections")') })
  expect(await selections.textContent()).toMatch(/read \d+ of 20, round 2/)
  await page.locator('.flow .topic', { hasText: 'documents' }).click()
  await page.waitForSelector('.panel .partitions')
  expect(new URL(page.url()).hash).toContain('topic=winnow.documents')
  expect(await page.locator('.panel .partitions tbody tr').count()).toBe(3)
  expect(await page.locator('.panel .consumers').textContent()).toContain('label-sink')
  expect(await page.locator('.panel .records').textContent()).toMatch(/Document.*(harbour|kitchen|ledger) \d+/)
  // A document that comes while the page is open is shown; how soon, test/bench/board.ts measures.
  const records = page.locator('.topics tbody tr', { hasText: 'documents' }).first().locator('td').nth(3)
  const before = Number((await records.textContent())!.replaceAll(',', ''))
  await world.add(100, 3)
  await until(async () => Number((await records.textContent())!.replaceAll(',', '')) >= before + 3)
}

async function actors(page: Page, world: World, run: string, show: Show) {
  await show(`actors?run=${run}`)
  await page.waitForSelector('figure svg')
  const { name, subcategories } = world.config.actors[0]!
  const weights = page.locator(`figure[data-name="weights-${name}-${run}"]`)
  await weights.locator('svg').waitFor()
  for (const subcategory of subcategories) expect(await weights.textContent()).toContain(subcategory)
  const theta = await csvOf(page, `theta-${run}`)
  expect(theta[0]).toBe('series,round,step,theta')
  expect(theta).toHaveLength(1 + 3 * world.config.actors.length)
  const rounds = await page.locator('table.rounds tbody tr').allTextContents()
  expect(rounds).toHaveLength(2)
  const rewards = await csvOf(page, `rewards-${name}-${run}`)
  const samples = rewards.slice(1).map((row) => Number(row.split(',').at(-1)))
  expect(samples.length).toBe(2 * subcategories.length)
  expect(samples.every((count) => count === 3)).toBe(true)
}

async function selection(page: Page, run: string, show: Show) {
  await show(`selection?run=${run}&round=2`)
  await page.waitForSelector('figure[data-name^="lift-"] svg')
  expect(await page.locator('.tiles').textContent()).toContain('documents20')
  const shares = await csvOf(page, await nameOf(page, 'shares-kind'))
  const [corpus, selected] = [1, 2].map((column) =>
    shares.slice(1).reduce((sum, row) => sum + Number(row.split(',')[column]), 0),
  )
  expect(corpus).toBeCloseTo(1, 9)
  expect(selected).toBeCloseTo(1, 9)
  const counted = shares.slice(1).reduce((sum, row) => sum + Number(row.split(',').at(-1)), 0)
  expect(counted).toBe(20)
  await show(`selection?run=${run}&round=0`)
  expect(await page.locator('main').textContent()).toContain('drawn at random')
  expect(await page.locator('.tiles').textContent()).not.toContain('lowest score')
  await show(`selection?run=${run}&round=2`)
  await page.waitForSelector('.slider b:text("2")')
  // Scrubbing with the keyboard moves the round, and the address with it.
  await page.locator('.slider input').focus()
  await page.keyboard.press('ArrowLeft')
  await until(() => new URL(page.url()).hash.includes('round=1'))
  await page.waitForSelector('.slider b:text("1")')
  await page.reload()
  await page.waitForSelector('.slider b:text("1")')
  await page.waitForSelector(`figure[data-name^="lift-"] svg`)
}

async function training(page: Page, runs: string[], show: Show) {
  await show('training')
  // The view before stays until the module of this one is loaded.
  await page.waitForSelector('table.now tbody tr')
  expect(await page.locator('table.now tbody tr').allTextContents()).toEqual([
    expect.stringMatching(/^chosen-\S*done6 \/ 6/),
    expect.stringMatching(/^control-\S* \(control\)done6 \/ 6/),
  ])
  const less = (await csvOf(page, 'loss-against-control')).slice(1).map((row) => row.split(','))
  expect(less.map(([series]) => series)).toEqual(Array(4).fill(runs[0]))
  // Both begin with the same weights.
  expect(Number(less[0]!.at(-1))).toBe(0)
  await page.waitForSelector('figure[data-name="loss-reference"] svg')
  const losses = await csvOf(page, 'loss-reference')
  for (const run of runs) expect(losses.filter((row) => row.startsWith(`${run},`))).toHaveLength(4)
  expect(await page.locator('table.checkpoints').first().locator('tbody tr').count()).toBe(3)
  await page.locator('.chips button').first().click()
  await until(() => new URL(page.url()).hash.includes('hide='))
  expect((await csvOf(page, 'loss-reference')).filter((row) => row.startsWith(`${runs[0]},`))).toEqual([])
  const svg = readFileSync(await download(page, 'loss-reference', 'SVG'), 'utf8')
  expect(svg).toMatch(/^<svg[^>]* xmlns="http:\/\/www.w3.org\/2000\/svg"/)
  expect(svg).toContain(runs[1])
  expect(svg).not.toContain('var(--')
}

async function documents(page: Page, world: World, run: string, show: Show) {
  await show(`documents?run=${run}&q=%22ledger%205%22`)
  await page.waitForSelector('.results li')
  expect(await page.locator('.results li').first().textContent()).toMatch(/part-0\.jsonl, row 5/)
  await page.locator('.results a').first().click()
  await page.waitForSelector('.explanations')
  // Words apart and in another order find it as well, and every one of them is marked.
  await page.getByRole('searchbox').fill('5 ledger')
  await until(async () => {
    const marks = await page.locator('.results mark').allTextContents()
    return ['ledger', '5'].every((word) => marks.includes(word))
  })
  expect(await page.locator('.document .text').textContent()).toMatch(/^ledger 5/)
  const verdicts = await page.locator('.explanations .verdict').allTextContents()
  expect(verdicts).toHaveLength(3)
  const known = ['selected', 'below the threshold', 'lost the draw among equals']
  expect(verdicts.every((verdict) => known.includes(verdict))).toBe(true)
  await page.getByLabel('Search in').selectOption('source')
  await page.getByRole('searchbox').fill('part-100')
  await page.waitForSelector('.results h3:text("3 found")')
  await byFilter(page, world.config.actors[0]!.name, run, show)
}

/** Labels and rounds alone, without a word; pages add up to the total. */
async function byFilter(page: Page, actor: string, run: string, show: Show) {
  await show(`documents?run=${run}&round=2`)
  await page.waitForSelector('.results h3:text("20 found")')
  await show(`documents?run=${run}&label.${actor}=ledger`)
  const title = page.locator('.results h3:text("found")')
  await title.waitFor()
  const found = Number((await title.textContent())!.replace(' found', ''))
  expect(found).toBeGreaterThan(10)
  const seen = new Set<string>()
  for (;;) {
    for (const id of await page.locator('.results li > a').allTextContents()) seen.add(id)
    const next = page.getByRole('button', { name: 'on →' })
    if ((await next.count()) === 0 || (await next.isDisabled())) break
    const before = await page.locator('.results li > a').first().textContent()
    await next.click()
    await until(async () => (await page.locator('.results li > a').first().textContent()) !== before)
  }
  expect(seen.size).toBe(found)
}

/** What is not there is said so, and the address stays. */
async function notThere(page: Page, run: string, show: Show) {
  const told = async (view: string) => {
    await show(view)
    const hash = new URL(page.url()).hash
    expect(hash).toBe(`#/${view}`)
    return await page.locator('.missing').textContent()
  }
  expect(await told('selection?run=nope')).toContain('There is no run nope')
  expect(await told(`selection?run=${run}&round=77`)).toContain(`Run ${run} has selected nothing in round 77`)
  expect(await told('runs?a=nope')).toContain('There is no run nope')
  expect(await told('nonsense')).toContain('There is no view nonsense')
}

async function deadLetters(page: Page, world: World, show: Show) {
  await show('dataflow')
  await refuseOne(world)
  await page.waitForSelector('nav .count')
  await show('dead-letters')
  await page.waitForSelector('.letters tbody tr')
  await page.locator('.letters tbody tr').first().click()
  expect(await page.locator('.letter .bytes').textContent()).toBe('no Avro at all')
  await page.locator('.letter').getByRole('button', { name: 'bytes' }).click()
  expect(await page.locator('.letter .bytes').textContent()).toContain('6e 6f 20 41 76 72 6f')
  // What refuses it was not mended: it is sent, and refused again.
  const refused = async () => Number(await page.locator('nav .count').textContent())
  await until(async () => (await refused()) === 3)
  await page.locator('.letter').getByRole('button', { name: 'Re-drive this one' }).click()
  await page.locator('.letter').getByRole('button', { name: 'Send this one again' }).click()
  await page.waitForSelector('.letter [role=status]:text("1 sent again")')
  await until(async () => (await refused()) === 6)
}

async function runsAndReplay(page: Page, [a, b]: string[], show: Show) {
  await show(`runs?a=${a}&b=${b}`)
  const row = (name: string) => page.locator('table.runs tbody tr', { hasText: name })
  expect(await row(b!).locator('td').nth(1).textContent()).toBe('control')
  await page.waitForSelector('table.runs .state:text("done")')
  expect(await page.locator('table.differences tbody tr').allTextContents()).toContainEqual(
    expect.stringMatching(/^sampleDocuments\d+0$/),
  )
  await page.waitForSelector('figure[data-name^="overlap-"] svg')
  const overlap = await csvOf(page, `overlap-${a}-${b}`)
  expect(overlap).toHaveLength(4)
  // Both drew the first round at random by the same seed.
  expect(overlap[1]).toMatch(/^0,1,20,20,20/)
  await page.getByRole('button', { name: 'Start replay' }).click()
  await page.waitForSelector('.replayed .verdict:text("done")', { timeout: 60_000 })
  expect(await page.locator('.replayed li', { hasText: 'the same to the bit' }).count()).toBe(3)
  await page.locator('.replay textarea').fill('{ "updates": 1 }')
  await page.getByRole('button', { name: 'Start replay' }).click()
  await page.waitForSelector('.replay .problem')
  expect(await page.locator('.replay .problem').textContent()).toContain('updates')
}

/** A run that begins while the page is open, and selects by pool, quotas and draws instead of by its actors. */
async function strategy(world: World, page: Page, show: Show) {
  const [kind] = world.config.actors.map(({ name }) => name)
  const quotas = world.run(
    'quotas',
    {
      strategy: {
        pool: [{ tokensMin: 10 }],
        mixture: { actor: kind, weights: [2, 1, 1] },
        score: { kind: 'zero' },
        sampler: { kind: 'gumbel', temperature: 1 },
      },
    },
    { sampleDocuments: 0 },
  )
  await show('runs')
  await submitRun(world.runtime, quotas)
  const services = await startRunStations(world.runtime, quotas, world.model, { onFailure: fail })
  onTestFinished(() => closeAll(services))
  await page.waitForSelector(`table.runs tr:has-text("${quotas.name}") .state:text("training")`)
  await show(`selection?run=${quotas.name}`)
  await page.waitForSelector('table.strata tbody tr')
  const rows = await page.locator('table.strata tbody tr').allTextContents()
  expect(rows.map((row) => row.replace(/\d.*/, ''))).toEqual(['harbour', 'kitchen', 'ledger'])
  const selected = await page.locator('table.strata td:nth-child(5)').allTextContents()
  expect(selected).toEqual(['10', '5', '5'])
  expect(await page.locator('.settings').textContent()).toContain('at least 10 tokens')
}

async function keyboard(page: Page, show: Show) {
  await show('dataflow')
  await page.locator('body').press('?')
  await page.waitForSelector('dialog[open]')
  for (let i = 0; i < 4; i++) {
    await page.keyboard.press('Tab')
    // The page behind it is out of reach; the browser's own bar is not part of it.
    expect(
      await page.evaluate(
        'document.activeElement.closest("dialog") !== null || document.activeElement === document.body',
      ),
    ).toBe(true)
  }
  await page.keyboard.press('Escape')
  await page.waitForSelector('dialog', { state: 'detached' })
  await page.locator('body').press('4')
  await page.waitForSelector('figure[data-name="loss-reference"]')
  await page.locator('body').press('/')
  await page.waitForSelector('input[type=search]:focus')
  await page.keyboard.press('Escape')
  const background = () => page.evaluate('getComputedStyle(document.body).backgroundColor')
  const chosen = async (theme: string) => {
    await page.locator('body').press('t')
    await page.waitForSelector(`html[data-theme=${theme}]`)
    return await background()
  }
  const light = await chosen('light')
  expect(await chosen('dark')).not.toBe(light)
}

async function phone(page: Page, show: Show, shot: (name: string) => Promise<unknown>) {
  await page.setViewportSize({ width: 390, height: 844 })
  for (const view of ['dataflow', 'actors', 'selection', 'training', 'documents?q=ledger', 'dead-letters', 'runs']) {
    await show(view)
    await page.waitForTimeout(400)
    // Nothing runs out of the screen sideways.
    expect([view, await page.evaluate('document.documentElement.scrollWidth')]).toEqual([view, 390])
    await shot(`phone-${view.replace(/\?.*/, '')}`)
  }
}

const nameOf = async (page: Page, beginning: string): Promise<string> =>
  (await page.locator(`figure[data-name^="${beginning}"]`).first().getAttribute('data-name'))!

async function download(page: Page, name: string, kind: 'SVG' | 'CSV'): Promise<string> {
  const figure = page.locator(`figure[data-name="${name}"]`)
  await figure.locator('.drawn svg').first().waitFor()
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    figure.getByRole('button', { name: `download ${kind}` }).click(),
  ])
  expect(file.suggestedFilename()).toBe(`${name}.${kind.toLowerCase()}`)
  return await file.path()
}

const csvOf = async (page: Page, name: string): Promise<string[]> =>
  readFileSync(await download(page, name, 'CSV'), 'utf8')
    .trimEnd()
    .split('\r\n')
