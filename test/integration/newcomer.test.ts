import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import type { Page } from 'playwright-core'
import { expect, inject, onTestFinished, test } from 'vitest'
import { allRecords, Manifest, runTopics } from '../../schemas/index.ts'
import { createCodec } from '../../services/runtime/codec.ts'
import { lookAtBoard, screens, type View } from '../support/board-look.ts'
import { chromiumPath, hasChromium } from '../support/browser.ts'
import { blocksFor } from '../support/documents.ts'
import { connect, until } from '../support/kafka.ts'
import { type Running, replacing, shellIn, signalGroup } from '../support/shell.ts'

const documents = 2000
const words = {
  ledger:
    'invoice lists units at a price each so the total due by march is 840 plus tax of 8% on the account of the firm'.split(
      ' ',
    ),
  letter:
    'my dear friend the ship left harbour at dawn and sailed past cliffs where gulls cried over grey water and rain'.split(
      ' ',
    ),
  recipe:
    'warm butter and flour make a soft dough that rests before you bake bread with salt and honey in a hot oven'.split(
      ' ',
    ),
}

/** Somebody's corpus: 2,000 documents from three sources. */
function writeCorpus(folder: string): void {
  mkdirSync(folder)
  const sources = Object.keys(words) as (keyof typeof words)[]
  const lines = Array.from({ length: documents }, (_, n) => {
    const source = sources[n % sources.length]!
    const own = words[source]
    let state = 48271 * (n + 1)
    const text = Array.from({ length: 60 + (n % 50) }, () => {
      state = (state * 48271) % 2147483647
      return own[state % own.length]
    })
    return `${JSON.stringify({ text: `${source} ${n}: ${text.join(' ')}.`, meta: { source } })}\n`
  })
  writeFileSync(join(folder, 'part-1.jsonl'), lines.slice(0, documents / 2).join(''))
  writeFileSync(join(folder, 'part-2.jsonl.gz'), gzipSync(lines.slice(documents / 2).join('')))
}

/** Addresses of the tutorial, and those of the test. */
function addresses(): [string, string][] {
  const { host, protocol, username } = new URL(inject('clickhouseUrl'))
  return [
    ['localhost:9092', inject('brokers').join(',')],
    ['http://localhost:8081', inject('registryUrl')],
    ['--clickhouse http://localhost:8123', `--clickhouse ${protocol}//${host} --username ${username || 'default'}`],
  ]
}

/** What the board shows of the tutorial's runs when both are done. */
const views: View[] = [
  {
    view: 'dataflow',
    shows: ['.flow .station.here', '.topics tbody tr'],
    says: ['Dataflow of first', 'label sink', 'labeler domain', 'actor topic', '2,000'],
  },
  {
    view: 'actors',
    shows: ['figure[data-name="theta-first"] svg', 'figure[data-name="weights-domain-first"] svg', 'table.samples'],
    says: ['recipe', 'all were answered'],
  },
  {
    view: 'selection',
    shows: ['figure[data-name^="lift-"] svg', 'figure[data-name^="shares-domain-"] svg'],
    says: ['25.0% of 2,000', 'First documents of this selection', /part-[12]\.jsonl/],
  },
  {
    view: 'training',
    shows: ['figure[data-name="loss-against-control"] svg', 'figure[data-name="loss-reference"] svg'],
    says: ['first-control (control)', /done200 \/ 200/, 'Checkpoints of first'],
  },
  { view: 'documents?q=harbour', shows: ['.results mark'], says: [/\d+ found/, 'letter'] },
  { view: 'dead-letters', shows: ['main .empty'], says: ['No dead letters'] },
  {
    view: 'runs?a=first&b=first-control',
    shows: ['table.differences tbody tr', 'figure[data-name="overlap-first-first-control"] svg'],
    says: ['sampleDocuments', 'selection.actors.domain.initialTheta'],
  },
]

/** On a desk in light and on a phone in dark, with pictures for CI, which keeps them. */
async function lookEverywhere(url: string): Promise<string[]> {
  const artifacts = join(import.meta.dirname, '../../artifacts/newcomer')
  mkdirSync(artifacts, { recursive: true })
  const problems: string[] = []
  for (const screen of [screens[0]!, screens.at(-1)!]) {
    const name = (view: string) => join(artifacts, `${screen.colorScheme}-${screen.width}-${view.split('?')[0]}.png`)
    const picture = async (page: Page, view: string) => {
      await page.screenshot({ path: name(view) })
    }
    problems.push(...(await lookAtBoard(url, screen, views, picture)))
  }
  return problems
}

test('a newcomer gets from 2,000 documents to a run compared with its control by the commands of the tutorial, with no file but those that they write', async () => {
  if (!hasChromium) console.warn(`The board is not looked at: no Chromium at ${chromiumPath}.`)
  const folder = mkdtempSync(join(tmpdir(), 'winnow-newcomer-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const kafka = connect()
  const codec = await createCodec({ registry: inject('registryUrl'), records: allRecords })
  // Its names of topics are those of every corpus, and other tests may have left theirs.
  const ours = async () => (await kafka.topicNames()).filter((name) => name.startsWith('winnow.'))
  const clear = async () => {
    await kafka.deleteTopics(await ours())
    await until(async () => (await ours()).length === 0)
  }
  await clear()
  const work = join(folder, 'work')
  mkdirSync(work)
  writeCorpus(join(work, 'corpus'))
  const shell = shellIn(folder, {
    NODE_OPTIONS: `--import ${pathToFileURL(join(import.meta.dirname, 'connections.mjs'))}`,
    CONNECTIONS_FILE: join(folder, 'connections.txt'),
    WINNOW_CLICKHOUSE_PASSWORD: decodeURIComponent(new URL(inject('clickhouseUrl')).password),
  })

  const blocks = blocksFor('integration/newcomer')
  expect(blocks.length).toBeGreaterThan(8)
  let all = ''
  let up: Running | undefined
  for (const { text } of blocks) {
    const stays = text.startsWith('# in a terminal of its own\n')
    const commands = replacing(text, addresses())
    // Signals are for what stays, not for the shell around it.
    const started = shell(stays ? commands.replace('npx', 'exec npx') : commands, work)
    onTestFinished(() => signalGroup(started, 'SIGKILL'))
    if (stays) {
      up = started
      await until(async () => started.said.text.includes('everything runs'), 60_000)
    } else {
      expect(await started.ended, `${commands}\n${started.said.text}`).toBe(0)
      all += `$ ${commands}${started.said.text}`
      // Both runs are done, and none is archived yet.
      if (commands.includes('winnow compare') && hasChromium)
        expect(await lookEverywhere(/^board: (\S+)$/m.exec(up!.said.text)![1]!)).toEqual([])
    }
  }
  signalGroup(up!, 'SIGTERM')
  expect(await up!.ended, up!.said.text).toBe(0)

  // Of all processes, to the addresses that were configured and to nothing else.
  const connections = new Set(readFileSync(join(folder, 'connections.txt'), 'utf8').trim().split('\n'))
  const configured = [
    inject('brokers')[0]!.split(':')[0],
    ...['registryUrl', 'clickhouseUrl'].map((name) => new URL(inject(name as 'registryUrl')).hostname),
  ]
  expect([...connections].toSorted()).toEqual([...new Set(configured)].toSorted())

  expect(readdirSync(work).toSorted()).toEqual(
    ['.winnow', 'checkpoints', 'control.yaml', 'corpus', 'reference', 'run.yaml', 'winnow.yaml'].filter(
      (name) => name !== '.winnow' || readdirSync(work).includes('.winnow'),
    ),
  )
  for (const part of ['2,000 documents', 'run first is done', 'run first-control is done']) expect(all).toContain(part)
  for (const run of ['first', 'first-control']) {
    const rounds: number[] = []
    for await (const records of kafka.read(runTopics(run).consoleState.name))
      for (const { value } of records) {
        const decoded = await codec.decode(value!)
        if (decoded.record !== Manifest.name) continue
        const manifest = decoded.value as Manifest
        rounds.push(manifest.round)
        expect(manifest.documents).toBe(documents / 4)
        // A control collaborates with nobody.
        expect(manifest.theta.every((theta) => theta === 0)).toBe(run === 'first-control')
      }
    expect(rounds).toEqual([0, 1, 2, 3])
  }
  await clear()
}, 420_000)
