import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { exportRun } from '../../../services/archive/export.ts'
import { ArchiveWorkspace } from '../../../services/archive/workspace.ts'
import type { Config } from '../../../services/config/config.ts'
import { readManifests } from '../../../services/runs/recorded.ts'
import { createLog } from '../../../services/runtime/log.ts'
import { selectionsOf } from '../../../services/selections/chunks.ts'
import { cliOn } from '../../support/cli.ts'
import { blocksFor, commandsIn } from '../../support/documents.ts'
import type { MemoryRuntime } from '../../support/memory-runtime.ts'
import { recordedRun } from './world.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-archive-read-'))
const archive = join(folder, 'archive')
let live: ReturnType<typeof cliOn>
/** Where no cluster answers. */
let nowhere: ReturnType<typeof cliOn>
let runtime: MemoryRuntime

beforeAll(async () => {
  const recorded = await recordedRun({ repetitionDecay: 0.5, holdOut: 0.3 })
  runtime = recorded.runtime
  await exportRun({ ...recorded, folder: archive })
  live = cliOn(runtime, { actors: [] } as unknown as Config, folder)
  const away = new Proxy(runtime, {
    get: () => {
      throw new Error('a cluster was asked')
    },
  })
  nowhere = cliOn(away, { actors: [] } as unknown as Config, folder)
})
afterAll(() => rmSync(folder, { recursive: true }))

/** The commands of docs/archives.md that are run here. */
const documented = (): string[] => blocksFor('services/archive/read').flatMap(({ text }) => commandsIn(text))

/** What a command says, and not how far it was when. */
const answer = ({ code, stdout }: Awaited<ReturnType<typeof live>>) => ({ code, stdout })

describe('an archive answers as the cluster does that it was exported from', () => {
  test.each([['evaluate --on next-round', ['evaluate', '--on', 'next-round', '--json']]])(
    '%s',
    async (_name, [command, ...options]) => {
      const there = await live(command!, 'original', ...options)
      const here = await nowhere(command!, `archive:${archive}`, ...options)
      expect(there.code).toBe(0)
      expect(answer(here)).toEqual(answer(there))
    },
  )

  test('ablate, as documented', async () => {
    const [command] = documented()
    const [, , name, run, ...options] = command!.split(' ')
    expect([name, run]).toEqual(['ablate', 'archive:multi-actor-7.archive'])
    const here = await nowhere(name!, `archive:${archive}`, ...options, '--json')
    expect(answer(here)).toEqual(answer(await live(name!, 'original', ...options, '--json')))
    expect(here.code).toBe(0)
  })

  test('replay repeats the run to the bit', async () => {
    const here = await nowhere('replay', '--run', `archive:${archive}`, '--json')
    expect(here.code).toBe(0)
    const rounds = here.stdout.trim().split('\n')
    expect(rounds.map((line) => JSON.parse(line).same)).toEqual([true, true, true])
    expect(answer(here)).toEqual(answer(await live('replay', '--run', 'original', '--json')))
  })

  test('replay with other hyperparameters has the same documents in common, and the same first difference', async () => {
    const changes = join(folder, 'changes.json')
    writeFileSync(changes, JSON.stringify({ budget: { documents: 9 }, actors: { parity: { eta: 0.9 } } }))
    const args = ['--with', changes, '--json']
    const there = await live('replay', '--run', 'original', ...args)
    expect(answer(await nowhere('replay', '--run', `archive:${archive}`, ...args))).toEqual(answer(there))
    expect(JSON.parse(there.stdout.split('\n')[0]!)).toMatchObject({ same: false })
  })

  test('simulate, as documented, has the rounds of the run: weights, sizes and ids in order', async () => {
    const [, command, ...others] = documented()
    expect(others).toEqual([])
    const [, , name, ...options] = command!.replace('archive:multi-actor-7.archive', `archive:${archive}`).split(' ')
    const out = join(folder, options.at(-1)!)
    const here = await nowhere(name!, ...options.with(-1, out), '--json')
    expect(here.code).toBe(0)
    const manifests = await readManifests(runtime, 'original')
    expect(JSON.parse(here.stdout)).toMatchObject({
      documents: 40,
      rounds: manifests.map(({ round, documents, tokens }) => ({ round, documents, tokens: Number(tokens) })),
    })
    const rounds = readFileSync(join(out, 'rounds.jsonl'), 'utf8').trim().split('\n')
    expect(rounds.map((line) => JSON.parse(line).weights.parity)).toEqual(manifests.map(({ weights }) => weights[0]))
    for (const manifest of manifests) {
      const ids: unknown[] = []
      for await (const some of selectionsOf(runtime).selection(manifest, 0)) ids.push(...some)
      expect(readFileSync(join(out, `selection-${manifest.round}.txt`), 'utf8')).toBe(`${ids.join('\n')}\n`)
    }
  })

  test.each([
    [['--run', 'original'], 'simulate asks no cluster'],
    [['--run', 'archive:a', '--labels', 'L.jsonl'], '--run stands for'],
    [['--labels', 'L.jsonl'], 'simulate needs'],
  ])('simulate %j is a usage error', async (options, message) => {
    const refused = await nowhere('simulate', ...options, '--out', join(folder, 'refused'))
    expect(refused).toMatchObject({ code: 2, stderr: expect.stringContaining(message) })
  })

  test('compare takes two archives, or one and a run', async () => {
    const there = await live('compare', 'original', 'original', '--json')
    const here = await nowhere('compare', `archive:${archive}`, `archive:${archive}`, '--json')
    expect(answer(here)).toEqual(answer(there))
    expect(answer(await live('compare', 'original', `archive:${archive}`, '--json'))).toEqual(answer(there))
  })
})

test('an archive that was changed is refused by all of them, with the file and code 6', async () => {
  const manifest = JSON.parse(readFileSync(join(archive, 'manifest.json'), 'utf8'))
  const { path } = manifest.files.find(({ topic }: { topic: string }) => topic.endsWith('.rewards'))
  const bytes = readFileSync(join(archive, path))
  const changed = Buffer.from(bytes)
  changed[changed.length - 30]! ^= 1
  writeFileSync(join(archive, path), changed)
  try {
    const refused = await nowhere('ablate', `archive:${archive}`)
    expect(refused).toMatchObject({ code: 6, stderr: expect.stringContaining(path) })
  } finally {
    writeFileSync(join(archive, path), bytes)
  }
})

test('the folder of a workspace is gone when it is closed', async () => {
  const scratch = mkdtempSync(join(folder, 'scratch-'))
  const workspace = await ArchiveWorkspace.create({
    log: createLog('test', 'silent'),
    memoryBytes: 256 * 1024 * 1024,
    scratch,
  })
  await workspace.open(archive)
  await workspace[Symbol.asyncDispose]()
  expect(readdirSync(scratch)).toEqual([])
})
