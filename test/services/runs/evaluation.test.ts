import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { asDocumentId, labelsTopic, topics } from '../../../schemas/index.ts'
import type { Config } from '../../../services/config/config.ts'
import type { Ablation } from '../../../services/runs/evaluation/ablate.ts'
import { readManifests } from '../../../services/runs/recorded.ts'
import { MemoryStore } from '../../../topologies/memory-store.ts'
import { cliOn } from '../../support/cli.ts'
import { blocksFor, commandsIn } from '../../support/documents.ts'
import { type MemoryRuntime, memoryRuntime, parityRun, recordRun } from '../../support/memory-runtime.ts'
import { temporaryFolder } from '../../support/temporary.ts'

const documents = 240
const subcategories = { parity: ['even', 'odd'], third: ['a', 'b', 'c'], fifth: ['v', 'w', 'x', 'y', 'z'] }
const sizes = { parity: 2, third: 3, fifth: 5 }
const actors = Object.fromEntries(
  Object.entries(subcategories).map(([name, own]) => [name, { subcategories: own, eta: 0.5 }]),
)

const jointly = {
  collaboration: 'joint',
  joint: { ridge: 10, weighting: 'corpus', cells: { shrinkage: 20, eta: 0.5 } },
} as const
const joint = join(temporaryFolder('joint'), 'joint.json')
writeFileSync(joint, JSON.stringify(jointly))

let runtime: MemoryRuntime
let winnow: ReturnType<typeof cliOn>
const ablated = async (...args: string[]): Promise<Ablation> => {
  const { code, stdout, stderr } = await winnow('ablate', 'multi-actor-7', ...args, '--json')
  expect([code, stderr]).toEqual([0, expect.anything()])
  return JSON.parse(stdout)
}

/** A run whose rewards depend on the labels of `third`, and a little on those of `parity`. */
beforeAll(async () => {
  const store = new MemoryStore()
  const ids = Array.from({ length: documents }, (_, n) => n)
  const at = <V>(value: V, n: number) => ({ value, partition: 0, offset: n })
  await store.addDocuments(
    ids.map((n) => at({ docId: asDocumentId(BigInt(n)), text: `${n}`, tokens: 10, meta: '{}' }, n)),
  )
  for (const [actor, size] of Object.entries(sizes))
    await store.addLabels(
      ids.map((n) =>
        at({ docId: asDocumentId(BigInt(n)), actor, subcategory: n % size, score: 1, tokens: 10, version: 'v1' }, n),
      ),
    )
  const inputs = [topics.documents.name, ...Object.keys(sizes).map((actor) => labelsTopic(actor).name)]
  await store.commit(inputs.map((topic) => ({ topic, partition: 0, offsetNext: documents })))
  runtime = await memoryRuntime(store)
  const labelers = Object.fromEntries(Object.keys(sizes).map((actor) => [actor, 'v1']))
  const run = parityRun(
    'multi-actor-7',
    { actors, budget: { documents: 40 } },
    { labelers, sampleDocuments: 12, steps: 8 },
  )
  const rewardOf = (text: string) => [0, 1, 4][Number(text) % 3]! + 0.3 * (Number(text) % 2) + (Number(text) % 7) / 100
  expect(await recordRun(runtime, run, rewardOf)).toHaveLength(4)
  await recordRun(runtime, { ...run, name: 'joint-7', selection: { ...run.selection, ...jointly } }, rewardOf)
  winnow = cliOn(runtime, { actors: [] } as unknown as Config, '/')
})

test('the ablations of a run are ranked by what they would have taken', async () => {
  const { on, rounds, variants } = await ablated()
  expect([on, rounds]).toEqual(['next-round', [1, 2]])
  const names = variants.map(({ name }) => name)
  expect(new Set(names).size).toBe(names.length)
  // Sets of three actors, less the whole one, and all sets without updates; theta fixed, three alone, competitive, joint by two weightings with and without residuals, additive, the
  // authors' code; as recorded.
  expect(names).toHaveLength(6 + 7 + 1 + 3 + 1 + 4 + 1 + 1 + 1)
  expect(names).toContain('paper-code')
  const of = (name: string) => variants.find((one) => one.name === name)!
  // Updates find the third that is worth most; without them all documents are equal, and a draw is what it takes.
  expect(of('third').gain!.mean).toBeGreaterThan(of('fifth').gain!.mean + 0.5)
  // The other actors' means repeat what is the third's; a fit of all together does not.
  expect(of('joint by answers').gain!.mean).toBeGreaterThan(of('as recorded').gain!.mean)
  expect(of('third').gain!.low).toBeGreaterThan(1)
  expect(of('third, no updates').gain!.mean).toBeCloseTo(0, 9)
  expect(of('as recorded')).toMatchObject({ overlap: 1, ended: null })
  const gains = variants.map(({ gain }) => gain!.mean)
  expect(gains).toEqual(gains.toSorted((a, b) => b - a))
})

test('a sweep takes every combination, and what was recorded comes out as recorded', async () => {
  const { variants } = await ablated('--sweep', 'eta=0.1,0.5', '--sweep', 'update=ema,additive')
  expect(variants).toHaveLength(5)
  const of = (name: string) => variants.find((one) => one.name === name)!
  expect(of('eta=0.5, update=ema')).toEqual({ ...of('as recorded'), name: 'eta=0.5, update=ema' })
  expect(await ablated('--sweep', 'eta.third=0', '--sweep', 'initialTheta.fifth=0')).toMatchObject({
    variants: expect.arrayContaining([expect.objectContaining({ name: 'eta.third=0, initialTheta.fifth=0' })]),
  })
})

test('a run of joint weights replays to the bit, and is what an ablation of another run said it would be', async () => {
  const again = await winnow('replay', '--run', 'joint-7')
  expect([again.code, again.stdout]).toEqual([
    0,
    expect.stringContaining('4 rounds of joint-7 and joint-7-replay-1 are the same'),
  ])
  const { code, stdout } = await winnow('replay', '--run', 'multi-actor-7', '--with', joint, '--as', 'jointly')
  expect([code, stdout]).toEqual([0, expect.stringMatching(/round 1: .*first difference: weights/)])
  const [, recorded, refolded] = await Promise.all(
    ['multi-actor-7', 'joint-7', 'jointly'].map((run) => readManifests(runtime, run)),
  )
  const weightsOf = (manifests: typeof recorded) => manifests!.map(({ weights, theta }) => [weights, theta])
  expect(weightsOf(refolded)).toEqual(weightsOf(recorded))
  const { variants } = await ablated()
  const judged = JSON.parse((await winnow('ablate', 'joint-7', '--json')).stdout) as Ablation
  const gainOf = (list: Ablation['variants'], name: string) => list.find((one) => one.name === name)!.gain!.mean
  expect(gainOf(judged.variants, 'as recorded')).toBe(gainOf(variants, 'joint by corpus, residuals'))
  expect(gainOf(judged.variants, 'joint by answers')).toBe(gainOf(variants, 'joint by answers'))
})

test('a variant whose weights cannot be normalized says where it would have ended', async () => {
  const { variants } = await ablated('--sweep', 'eta=0.5,1e308')
  expect(variants.find(({ name }) => name === 'eta=1e308')!.ended).toMatch(/round 1.*no longer finite|finite/)
})

test.each([
  ['eta', 2, '--sweep eta: not KEY=VALUE,VALUE'],
  ['budget.topic=3', 2, 'not KEY=VALUE,VALUE'],
  ['eta=fast', 3, 'eta'],
  ['colour=red', 3, 'colour'],
  ['eta.none=0.1', 3, 'none'],
  ['seed=8', 3, 'seed'],
])('--sweep %s is refused with code %i', async (sweep, code, says) => {
  expect(await winnow('ablate', 'multi-actor-7', '--sweep', sweep)).toMatchObject({
    code,
    stderr: expect.stringContaining(says),
  })
})

test('a person reads a table', async () => {
  const { stdout } = await winnow('ablate', 'multi-actor-7')
  expect(stdout).toMatch(/^ +mean reward +above random +95% interval +in common\n/)
  expect(stdout).toContain('Means of 2 rounds, by the rewards of the round after each, which no weights had seen.')
})

test('the commands that documents give for it work', async () => {
  const commands = blocksFor('services/runs/evaluation').flatMap(({ text }) => commandsIn(text))
  expect(commands.length).toBeGreaterThan(1)
  for (const command of commands) {
    const [npx, program, ...words] = command.trim().split(/ +/)
    expect([npx, program]).toEqual(['npx', 'winnow'])
    expect(await winnow(...words)).toMatchObject({ code: 0 })
  }
})
