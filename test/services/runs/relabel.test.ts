import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import {
  type ActorState,
  asDocumentId,
  type Label,
  labelsTopic,
  type Manifest,
  runTopics,
  topics,
} from '../../../schemas/index.ts'
import type { Config } from '../../../services/config/config.ts'
import { definitionOf } from '../../../services/connections/connections.ts'
import { labelerVersion } from '../../../services/labeler/labeler.ts'
import { readChanges } from '../../../services/runs/actor-changes.ts'
import { explainRound } from '../../../services/runs/explain-round.ts'
import { readTopic } from '../../../services/runs/recorded.ts'
import { submitRun } from '../../../services/runs/registry.ts'
import { consumerGroupOf } from '../../../services/runtime/consumer-groups.ts'
import { labelerStation } from '../../../topologies/dataflow.ts'
import { type ExplainedDocument, explain } from '../../../topologies/explain.ts'
import { cliOn, sayingOn } from '../../support/cli.ts'
import { blocksFor, commandsIn } from '../../support/documents.ts'
import { fillByParity, type MemoryRuntime, memoryRuntime, parityRun, recordRun } from '../../support/memory-runtime.ts'
import { temporaryFolder } from '../../support/temporary.ts'

const folder = temporaryFolder('relabel')
const documents = 80
let runtime: MemoryRuntime
let winnow: ReturnType<typeof cliOn>
let manifests: Manifest[]
const says = sayingOn(() => winnow)
const relabel = (...args: string[]) => says('run', 'relabel-actor', 'live', 'parity', ...args, '--by', 'ada')

/** An actor's file, with labels of it in the corpus, as its labeler and the label sink leave them. */
async function labelled(name: string, subcategories: string[], labelOf: (n: number) => number) {
  const labeler = { kind: 'metadata', path: name } as const
  writeFileSync(join(folder, `${name}.json`), JSON.stringify({ subcategories, labeler }))
  const version = await labelerVersion({ name: 'parity', subcategories }, labeler, folder)
  const label = (n: number): Label => ({
    ...{ docId: asDocumentId(BigInt(n)), actor: 'parity', subcategory: labelOf(n), score: 1, tokens: 10 + n, version },
  })
  const topic = labelsTopic('parity').name
  const from = (await runtime.store.committed()).find((place) => place.topic === topic)!.offsetNext
  const values = Array.from({ length: documents }, (_, n) => label(n))
  await runtime.store.addLabels(values.map((value, n) => ({ value, partition: 0, offset: from + n })))
  await runtime.store.commit([{ topic, partition: 0, offsetNext: from + documents }])
  const group = consumerGroupOf(labelerStation('parity'), { versions: { parity: version } })
  runtime.kafka.committed.set(`${group} ${topics.documents.name}[0]`, documents)
}

/** A run of eight rounds whose odd documents become threes and others, and then odd ones again. */
beforeAll(async () => {
  runtime = await memoryRuntime()
  await fillByParity(runtime.store, documents)
  await runtime.kafka.createTopics([definitionOf(labelsTopic('parity'), { partitions: 1, recordBytesMax: 1_000_000 })])
  winnow = cliOn(runtime, { actors: [], baseFolder: folder } as unknown as Config, folder)
  await labelled('finer', ['even', 'threes', 'others', 'seven'], (n) =>
    n === 7 ? 3 : n % 2 === 0 ? 0 : n % 3 === 0 ? 1 : 2,
  )
  await labelled('coarser', ['even', 'odd'], (n) => n % 2)
  const rewardOf = (text: string) => Number(text.split(' ')[1]) / documents
  manifests = await recordRun(runtime, parityRun('live', {}, { steps: 16 }), rewardOf, undefined, async (round) => {
    if (round === 1) {
      await relabel('--labeler', 'finer.json', '--split', 'threes,others=odd', '--from-round', '3', '--why', 'finer')
      expect(await says('run', 'show', 'live')).toMatch(
        /parity has labels of version \w+ \(odd becomes threes, others; new seven\) once its labels.* round 3 \(ada: finer\)/,
      )
    }
    if (round === 5)
      await relabel('--labeler', 'coarser.json', '--merge', 'threes,others=odd', '--retire', 'seven', '--why', 'enough')
  })
})

test('subcategories that were split go on from their weight, and those that were merged from their mean by documents', async () => {
  const weights = manifests.map((manifest) => manifest.weights[0]!)
  expect(manifests.map(({ documents: selected }) => selected)).toEqual(manifests.map(() => 6))
  expect(weights.map(({ length }) => length)).toEqual([2, 2, 2, 4, 4, 4, 2, 2])
  const states = (await readTopic(runtime, runTopics('live').actorState.name)).map(({ value }) => value as ActorState)
  const moved = (round: number, begins: readonly number[]) => {
    const { rewards } = states.find((state) => state.round === round)!
    return begins.map((weight, j) => 0.5 * weight + 0.5 * rewards[j]!)
  }
  const [even, odd] = weights[2]!
  expect(weights[3]).toEqual(moved(3, [even!, odd!, odd!, 0.25]))
  // Of 80 documents 13 are odd multiples of three, and 26 are the other odd ones but 7.
  const [evenLast, threes, others] = weights[5]!
  expect(weights[6]).toEqual(moved(6, [evenLast!, (13 * threes! + 26 * others!) / 39]))
})

test('its replay is the same to the bit, and the run shows what became of its subcategories, by whom and why', async () => {
  expect(await says('replay', '--run', 'live')).toContain('8 rounds of live and live-replay-1 are the same')
  const shown = await says('run', 'show', 'live')
  expect(shown).toMatch(/odd becomes threes, others; new seven\) from round 3 on \(ada: finer\)/)
  expect(shown).toMatch(/threes, others become odd; without seven\) from round 6 on \(ada: enough\)/)
  const { changes } = JSON.parse(await says('run', 'show', 'live', '--json'))
  expect(changes[1].mapping.origins[1].from).toEqual([
    { subcategory: 'threes', documents: 13 },
    { subcategory: 'others', documents: 26 },
  ])
})

test('an explanation of a round begins with the weights that its subcategories went on from', async () => {
  const { configuration } = await readChanges(runtime, parityRun('live', {}, { steps: 16 }))
  const before = async (round: number, label: number) => {
    const document: ExplainedDocument = {
      ...{ docId: asDocumentId(9n), labels: [label], reads: 0, tookPart: true, tokens: 19, scores: [1] },
    }
    const explanation = explain(configuration.at(round).selection, manifests[round]!, document)
    const { sources } = await explainRound(runtime, parityRun('live', {}, { steps: 16 }), document, explanation)
    return [sources[0]!.subcategory, sources[0]!.before]
  }
  const weights = manifests.map((manifest) => manifest.weights[0]!)
  expect(await before(3, 2)).toEqual(['others', weights[2]![1]])
  expect(await before(3, 3)).toEqual(['seven', 0.25])
  expect(await before(4, 2)).toEqual(['others', weights[3]![2]])
  expect(await before(6, 1)).toEqual(['odd', (13 * weights[5]![1]! + 26 * weights[5]![2]!) / 39])
})

test('what does not account for every subcategory, or would leave a guard without one, is refused with what to do', async () => {
  await submitRun(runtime, parityRun('still'))
  const refused = async (...args: string[]) => {
    const { code, stderr } = await winnow('run', 'relabel-actor', 'still', 'parity', ...args)
    return [code, stderr]
  }
  const finer = ['--labeler', 'finer.json']
  expect(await refused(...finer)).toEqual([3, expect.stringContaining('the new labels have no odd: say what becomes')])
  expect(await refused(...finer, '--split', 'odd')).toEqual([2, expect.stringContaining('must be as biology,physics=')])
  expect(await refused(...finer, '--merge', 'even,odd=threes')).toEqual([
    ...[3, expect.stringContaining('selected nothing yet')],
  ])
  await says('steer', 'still', '--pin', 'parity=odd:0.5', '--why', 'x')
  expect(await refused(...finer, '--retire', 'odd')).toEqual([3, expect.stringContaining('--free parity=SUBCATEGORY')])
  await says('steer', 'still', '--free', 'parity=odd', '--why', 'x')
  expect(await refused(...finer, '--retire', 'odd')).toEqual([0, expect.stringContaining('without odd')])
})

test('the commands that documents give for it work', async () => {
  await submitRun(runtime, parityRun('first'))
  for (const command of blocksFor('services/runs/relabel').flatMap(({ text }) => commandsIn(text))) {
    const words = command
      .trim()
      .match(/'[^']*'|\S+/g)!
      .map((word) => word.replaceAll("'", ''))
    expect([command, await winnow(...words.slice(2))]).toMatchObject([command, { code: 0, stderr: expect.anything() }])
  }
})
