import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { RoundOpened, runTopics, SelectionChunk } from '../../../schemas/index.ts'
import type { Config } from '../../../services/config/config.ts'
import { readManifests, readTopic } from '../../../services/runs/recorded.ts'
import { submitRun } from '../../../services/runs/registry.ts'
import { cliOn, sayingOn } from '../../support/cli.ts'
import { blocksFor, commandsIn } from '../../support/documents.ts'
import { fillByParity, type MemoryRuntime, memoryRuntime, parityRun, recordRun } from '../../support/memory-runtime.ts'
import { temporaryFolder } from '../../support/temporary.ts'

/** Odd documents help. */
const rewardOf = (text: string) => (Number(text.split(' ')[1]) % 2 === 0 ? -1 : 1)

const folder = temporaryFolder('steer')
let runtime: MemoryRuntime
let winnow: ReturnType<typeof cliOn>
const says = sayingOn(() => winnow)
const steer = (...args: string[]) => says('steer', 'helm', ...args, '--by', 'ada')

/** A run of eight rounds of six documents each that is steered while it is under way. */
beforeAll(async () => {
  runtime = await memoryRuntime()
  await fillByParity(runtime.store, 80)
  winnow = cliOn(runtime, { actors: [] } as unknown as Config, folder)
  await recordRun(runtime, parityRun('helm', {}, { steps: 16 }), rewardOf, undefined, async (round) => {
    if (round === 1) {
      expect(await steer('--floor', 'parity=even:0.5', '--at', '3', '--why', 'we serve both')).toContain(
        'from round 3 on',
      )
      expect(await says('run', 'show', 'helm')).toContain(
        'steered by ada (we serve both): floor parity=even:0.5, not before round 3',
      )
    }
    if (round === 3) await steer('--pin', 'parity=even:0.34', '--repetitions', '1', '--why', 'a third is enough')
    if (round === 5) await steer('--free', 'parity=even', '--repetitions', '0', '--why', 'done')
  })
})

test('from the round of its record on a guard holds in every selection, until somebody takes it off', async () => {
  const manifests = await readManifests(runtime, 'helm')
  const chunks = await readTopic(runtime, runTopics('helm').selections.name)
  const selected = manifests.map(({ round }) =>
    chunks
      .flatMap(({ record, value }) => (record === SelectionChunk.name ? [value as SelectionChunk] : []))
      .flatMap((chunk) => (chunk.round === round ? [...chunk.docIds] : [])),
  )
  const even = selected.map((ids) => ids.filter((id) => id % 2n === 0n).length)
  expect(selected.map(({ length }) => length)).toEqual(manifests.map(() => 6))
  expect(even.slice(1)).toEqual([0, 0, 3, 2, 2, 0, 0])
  // Two rounds in which nothing is repeated of the four documents that the trainer read of each selection.
  for (const round of [4, 5])
    expect(
      selected[round]!.filter((id) => selected.slice(0, round).some((earlier) => earlier.slice(0, 4).includes(id))),
    ).toEqual([])
})

test('the opening of that round has what was steered, with who and why', async () => {
  const records = await readTopic(runtime, runTopics('helm').consoleState.name)
  const opened = records.flatMap(({ record, value }) => (record === RoundOpened.name ? [value as RoundOpened] : []))
  expect(opened.map(({ steered }) => steered.map(({ by, why }) => `${by}: ${why}`))).toEqual([
    ...[[], [], [], ['ada: we serve both'], ['ada: a third is enough'], [], ['ada: done'], []],
  ])
})

test('its replay is the same to the bit', async () => {
  expect(await says('replay', '--run', 'helm')).toContain('8 rounds of helm and helm-replay-1 are the same')
})

test('guards that could not hold are refused, with what to do, and nothing is recorded', async () => {
  await submitRun(runtime, parityRun('still'))
  const refused = async (...args: string[]) => {
    const { code, stderr } = await winnow('steer', 'still', ...args, '--why', 'x')
    return [code, stderr]
  }
  expect(await refused('--floor', 'parity=prime:0.5')).toEqual([3, expect.stringContaining('they are even, odd')])
  expect(await refused('--floor', 'parity=even:0.6', '--floor', 'parity=odd:0.6')).toEqual([
    ...[3, expect.stringContaining('add up to 1.2')],
  ])
  expect(await refused('--floor', 'parity=even')).toEqual([2, expect.stringContaining('must be as domain=GitHub:0.1')])
  expect(await refused()).toEqual([2, expect.stringContaining('nothing to steer by')])
  expect((await winnow('steer', 'still', '--repetitions', '2')).stderr).toContain('--why')
  expect(await says('run', 'show', 'still')).not.toContain('steered')
})

test('a shadow by whose settings what was steered could not hold is not promoted', async () => {
  await submitRun(runtime, parityRun('guarded'))
  const mixture = { actor: 'parity', weights: [1, 1] }
  writeFileSync(join(folder, 'mixed.json'), JSON.stringify({ strategy: { score: { kind: 'zero' }, mixture } }))
  await says('run', 'shadow', 'guarded', '--as', 'mixed', '--with', 'mixed.json')
  await says('run', 'shadow', 'guarded', '--as', 'plain', '--set', 'eta=0.5')
  await says('steer', 'guarded', '--floor', 'parity=even:0.5', '--by', 'ada', '--why', 'we serve both')
  expect(await winnow('run', 'promote', 'mixed')).toMatchObject({
    ...{
      code: 3,
      stderr: expect.stringContaining('guarded cannot go on as mixed, by whose settings what was steered could'),
    },
  })
  await says('run', 'promote', 'plain')
  await says('steer', 'guarded', '--free', 'parity=even', '--why', 'done')
  await says('run', 'promote', 'mixed')
})

test('the commands that documents give for it work', async () => {
  await submitRun(runtime, parityRun('multi-actor-7'))
  for (const command of blocksFor('services/runs/steer').flatMap(({ text }) => commandsIn(text))) {
    const words = command
      .trim()
      .match(/'[^']*'|\S+/g)!
      .map((word) => word.replaceAll("'", ''))
    expect([command, await winnow(...words.slice(2))]).toMatchObject([command, { code: 0 }])
  }
})
