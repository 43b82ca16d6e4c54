import { expect, test } from 'vitest'
import type { Manifest, Progress } from '../../../schemas/index.ts'
import { BoardModel } from '../../../services/board/model.ts'
import { recordOf, testRun } from '../../support/run.ts'

const run = testRun('r')
const recorded = recordOf(run)

const modelWithRun = () => {
  const model = new BoardModel()
  model.addRun(recorded)
  return model
}

const tell = (model: BoardModel, record: string, value: object, { partition = 0, offset = 0, atMs = 0 } = {}) =>
  model.applyToRun('r', { topic: 't', partition, offset, record, value }, atMs)

const opened = (round: number, docIds: bigint[] = [1n, 2n]) => ({
  round,
  step: round * 10,
  previousRead: 0,
  samples: [{ actor: 'quality', subcategory: 1, docIds }],
})
const closed = (round: number, offsetNext: number, missing = 0) => ({
  round,
  reason: missing > 0 ? 'deadline' : 'answered',
  missing,
  rewardOffsets: [{ topic: 'rewards', partition: 0, offsetNext }],
})
const rewardOf = (round: number, docId: bigint, reward: number) => ({ round, actor: 'quality', docId, reward })
const progress = (step: number, more: Partial<Progress> = {}) => ({
  step,
  tokens: step * 100,
  round: 0,
  position: step,
  trainLoss: 5,
  referenceLoss: null,
  corpusLoss: null,
  checkpoint: null,
  ...more,
})
const manifest = (round: number): Partial<Manifest> => ({
  run: 'r',
  round,
  step: round * 10,
  theta: [1],
  weights: [[0.1, 0.9]],
  actorRewards: [null],
  documents: 10,
  tokens: 100,
  threshold: 0.5,
  marginal: null,
  selectionDigest: 'a',
  histogramDigest: 'b',
  labelOffsets: [],
})

const roundOf = (model: BoardModel, round: number) =>
  model.snapshot().runs!.r!.rounds!.find((one) => one.round === round)!

test('rewards are summarized by subcategory, counting each document once, in log order', () => {
  const model = modelWithRun()
  tell(model, 'RoundOpened', opened(1))
  tell(model, 'Reward', rewardOf(1, 1n, 1), { offset: 0 })
  tell(model, 'Reward', rewardOf(1, 1n, 100), { offset: 1 })
  tell(model, 'Reward', rewardOf(1, 2n, 3), { offset: 2 })
  tell(model, 'Reward', rewardOf(1, 9n, 50), { offset: 3 })
  const { asked, rewards, late } = roundOf(model, 1)
  expect(asked).toEqual([[0, 2]])
  expect(rewards).toEqual([[null, { count: 2, mean: 2, deviation: 1, min: 1, max: 3 }]])
  expect(late).toBe(0)
})

test('the rounds are the same in whatever order their topics are read', () => {
  const events: [string, object, number][] = [
    ['RoundOpened', opened(1), 0],
    ['Reward', rewardOf(1, 1n, 1), 0],
    ['RoundClosed', closed(1, 1, 1), 1],
    ['Reward', rewardOf(1, 2n, 3), 1],
  ]
  const inOrder = modelWithRun()
  for (const [record, value, offset] of events) tell(inOrder, record, value, { offset })
  const rewardsFirst = modelWithRun()
  for (const [record, value, offset] of [events[1]!, events[3]!, events[2]!, events[0]!])
    tell(rewardsFirst, record, value, { offset })
  expect(roundOf(rewardsFirst, 1)).toEqual(roundOf(inOrder, 1))
  expect(roundOf(inOrder, 1)).toMatchObject({ late: 1, closed: { reason: 'deadline', missing: 1 } })
})

test('a page is sent only what changed, and nothing if nothing did', () => {
  const model = modelWithRun()
  expect(model.takeChanges()?.runs?.r?.info?.name).toBe('r')
  expect(model.takeChanges()).toBeUndefined()
  tell(model, 'Manifest', manifest(3))
  const changes = model.takeChanges()
  expect(changes?.runs?.r?.rounds?.map(({ round }) => round)).toEqual([3])
  expect(changes?.runs?.r?.info).toBeUndefined()
  expect(model.takeChanges()).toBeUndefined()
})

test('a step that is reported twice is one point, which combines both reports', () => {
  const model = modelWithRun()
  tell(model, 'Progress', progress(10, { trainLoss: 4, referenceLoss: 6 }), { atMs: 1000 })
  tell(model, 'Progress', progress(10, { trainLoss: null }), { atMs: 9000 })
  expect(model.snapshot().runs!.r!.progress).toEqual([
    expect.objectContaining({ step: 10, trainLoss: 4, referenceLoss: 6, atMs: 1000 }),
  ])
})

test('what the strata of a strategy gave is sent as JSON, which has no integers of 64 bits', () => {
  const model = modelWithRun()
  model.takeChanges()
  const stratum = { heldDocuments: 40, heldTokens: 400, quota: 4, documents: 4, tokens: 40, refined: 3 }
  const strata = [
    { subcategory: 0, ...stratum, threshold: 0.25, keyLast: 2n ** 63n + 1n },
    { subcategory: 1, ...stratum, quota: null, threshold: null, keyLast: null },
  ]
  tell(model, 'Manifest', { ...manifest(0), strata })
  const sent = JSON.parse(JSON.stringify([model.takeChanges()!.runs!.r, model.snapshot().runs!.r]))
  for (const { rounds } of sent)
    expect(rounds[0].manifest.strata).toEqual([
      { subcategory: 0, ...stratum, guarded: null, threshold: 0.25 },
      { subcategory: 1, ...stratum, guarded: null, quota: null, threshold: null },
    ])
})

test('a failure to read is announced once, and so is its end', () => {
  const model = modelWithRun()
  expect(model.setProblem('no broker')).toBe(true)
  expect(model.setProblem('no broker')).toBe(false)
  expect(model.takeChanges()?.problem).toBe('no broker')
  model.setProblem(null)
  expect(model.takeChanges()).toEqual({ problem: null })
})

/** What a page would be sent, and so what the model holds; ids of asked documents are counted apart. */
const sizeOf = (model: BoardModel) => JSON.stringify(model.snapshot()).length

/** An hour of a fast run: a report every 0.4 s, a round every second with its rewards, dead letters all along. */
function play(model: BoardModel, fromRound: number, rounds: number) {
  for (let round = fromRound; round < fromRound + rounds; round++) {
    const ids = [BigInt(4 * round), BigInt(4 * round + 1)]
    tell(model, 'RoundOpened', opened(round, ids))
    for (const [i, id] of ids.entries()) tell(model, 'Reward', rewardOf(round, id, i), { offset: 2 * round + i })
    tell(model, 'RoundClosed', closed(round, 2 * round + 2))
    tell(model, 'Manifest', manifest(round))
    for (let i = 0; i < 3; i++) tell(model, 'Progress', progress(3 * round + i, { round }))
    model.addDeadLetter(round, {
      station: 'label sink',
      reason: `reason ${round}`,
      message: 'm'.repeat(100),
      origin: `t[0]@${round}`,
      topic: 't',
      partition: 0,
      offset: round,
      file: null,
      line: null,
      key: null,
      value: Buffer.alloc(5000, 'v'),
    })
    model.takeChanges()
  }
}

test('the model is bounded: after three hours of a live run it holds no more than after one', () => {
  const model = modelWithRun()
  play(model, 0, 3600)
  const afterAnHour = sizeOf(model)
  play(model, 3600, 7200)
  expect(sizeOf(model)).toBeLessThan(afterAnHour * 1.1)
  const { progress: points, rounds } = model.snapshot().runs!.r!
  expect(points!.length).toBeLessThanOrEqual(4000)
  expect(rounds!.length).toBeLessThanOrEqual(2000)
  expect(model.runs.get('r')!.model.manifests.size).toBeLessThanOrEqual(2000)
  expect(model.snapshot().deadLetters!.last).toHaveLength(100)
  expect(model.snapshot().deadLetters!.total).toBe(10_800)
})

test('only the latest runs are kept', () => {
  const model = new BoardModel()
  for (let i = 0; i < 40; i++) model.addRun(recordOf(testRun(`r${i}`)))
  expect([...model.runs.keys()].at(-1)).toBe('r39')
  expect(model.runs.size).toBe(16)
  for (let i = 40; i < 56; i++) model.addRun(recordOf(testRun(`r${i}`), { recordedMs: i }))
  // One that was forgotten has ended: it does not come back.
  model.addRun(recordOf(testRun('r41'), { recordedMs: 41, life: 'ended' }))
  model.addRun(recordOf(testRun('r3'), { life: 'ended' }))
  expect([...model.runs.keys()]).toEqual(Array.from({ length: 16 }, (_, i) => `r${i + 40}`))
})

test('a deleted or archived run disappears from open pages; a new run under its name is a different run', () => {
  const model = modelWithRun()
  model.addRun(recordOf(testRun('other')))
  model.takeChanges()
  tell(model, 'Manifest', manifest(1))
  model.addRun({ ...recorded, recordedMs: 2 })
  expect(model.takeChanges()?.runs?.r).toMatchObject({ info: { name: 'r', recordedMs: 2 }, rounds: [] })
  model.removeRun('r')
  model.addRun(recordOf(testRun('other'), { life: 'archived' }))
  expect(model.takeChanges()).toEqual({ removed: ['r', 'other'] })
  expect(model.snapshot().runs).toEqual({})
})

test('a run recorded again with another lifecycle state is the same run', () => {
  const model = modelWithRun()
  tell(model, 'Manifest', manifest(1))
  model.addRun({ ...recorded, life: 'paused' })
  expect(model.runs.get('r')?.record.life).toBe('paused')
  expect(roundOf(model, 1).manifest?.step).toBe(10)
})

test('kind and state of a run are sent once', () => {
  const model = modelWithRun()
  const control = testRun('c', {
    sampleDocuments: 0,
    selection: { actors: { quality: { subcategories: ['a'], initialTheta: 0 } } },
  })
  model.addRun(recordOf(control))
  model.addRun(recordOf(testRun('again'), { replayOf: 'r' }))
  model.addRun(recordOf({ ...testRun('beside'), shadowOf: 'r' }, { replayOf: 'r' }))
  const kinds = Object.values(model.snapshot().runs!).map(({ info }) => info!.kind)
  expect(kinds).toEqual(['run', 'control', 'replay', 'shadow'])
  model.takeChanges()
  const status = { state: 'waiting for labels', waitsFor: 'documents' } as const
  model.setStatus('r', status)
  model.setStatus('r', { ...status })
  expect(model.takeChanges()).toEqual({ runs: { r: { status } } })
  expect(model.takeChanges()).toBeUndefined()
  expect(model.snapshot().runs!.r!.status).toEqual(status)
})

test('the model knows how far the trainer has read a selection, and the learning rate of each step', () => {
  const model = modelWithRun()
  tell(model, 'Manifest', manifest(0))
  model.takeChanges()
  tell(model, 'Progress', progress(5, { position: 4 }))
  tell(model, 'Progress', progress(6, { position: 3 }))
  const { rounds, progress: points } = model.takeChanges()!.runs!.r!
  expect(rounds!.map(({ round, read }) => [round, read])).toEqual([[0, 4]])
  const { learningRate, warmupSteps } = run.trainer
  const at = (step: number) =>
    learningRate * Math.min(1, (step + 1) / warmupSteps) * (0.1 + 0.45 * (1 + Math.cos((Math.PI * step) / 100)))
  expect(points!.map((point) => point.learningRate)).toEqual([4, 5].map((step) => expect.closeTo(at(step), 12)))
})

test('records of topics that the board does not read are counted from the console’s records', () => {
  const model = modelWithRun()
  const { told } = model.runs.get('r')!.model
  expect(told).toBeNull()
  tell(model, 'RoundOpened', opened(0, []))
  tell(model, 'RoundOpened', opened(1))
  tell(model, 'Manifest', { ...manifest(1), chunkDocuments: 4 })
  expect(model.runs.get('r')!.model.told).toEqual({ rewardRequests: 2, selections: 3 })
})

test('the dataflow of a run has the comparison with evaluation sets while there are sets, and pages are told', () => {
  const model = modelWithRun()
  model.takeChanges()
  const names = () => model.takeChanges()?.runs?.r?.info?.stations.map(({ name }) => name)
  model.setEvalSets('v1')
  expect(names()).toContain('decontamination')
  // Another set is no other picture.
  model.setEvalSets('v2')
  expect(names()).toBeUndefined()
  expect(model.evalSets).toBe('v2')
  model.addRun(recordOf(testRun('later')))
  expect(model.takeChanges()?.runs?.later?.info?.stations.map(({ name }) => name)).toContain('decontamination')
  model.setEvalSets(undefined)
  expect(names()).not.toContain('decontamination')
})

test('a round has the guards that its selection has to keep to, with who wants them and why', () => {
  const model = modelWithRun()
  const [actor] = run.selection.actors
  const rules = [{ kind: 'floor', actor: actor!.name, subcategory: actor!.subcategories[0]!, share: 0.25 }]
  const steering = { rules, repetitionsMost: 2, by: 'ada', why: 'we serve both' }
  tell(model, 'RoundOpened', opened(1))
  tell(model, 'RoundOpened', { ...opened(2), steered: [steering] })
  tell(model, 'RoundOpened', opened(3))
  const guards = [
    `floor ${actor!.name}=${actor!.subcategories[0]}:0.25 (ada: we serve both)`,
    'repetitions 2 (ada: we serve both)',
  ]
  expect([1, 2, 3].map((round) => roundOf(model, round).guards)).toEqual([[], guards, guards])
  const otherBound = { bound: 0.2, from: null, run: 'random', loss: null }
  const bounded = { rules: [], repetitionsMost: 0, otherBound, by: 'bob', why: 'it has to talk' }
  const otherText = { share: 0.5, step: 40, loss: 5.15, heldAgainst: 5 }
  tell(model, 'RoundOpened', { ...opened(4), steered: [bounded], otherText })
  expect(roundOf(model, 4).guards).toEqual([
    guards[0],
    'other text: at most +0.2 nats over run random, natural mixture from +0.1 on (bob: it has to talk)',
    '50% from the natural mixture: loss on other text 5.150 at step 40, +0.150 over 5.000',
  ])
})

test('what a guarded round drew of each stratum is told with what the stratum is', () => {
  const model = modelWithRun()
  const [actor] = run.selection.actors
  const place = `${actor!.name}=${actor!.subcategories[0]}`
  const rules = [{ kind: 'floor', actor: actor!.name, subcategory: actor!.subcategories[0]!, share: 0.25 }]
  const steering = { rules, repetitionsMost: null, by: 'ada', why: 'w' }
  const otherBound = { bound: 0.2, from: null, run: null, loss: 5 }
  const bounded = { rules: [], repetitionsMost: null, otherBound, by: 'bob', why: 'w' }
  const otherText = { share: 0.5, step: 40, loss: 5.15, heldAgainst: 5 }
  const free = { rules: [{ ...rules[0], kind: 'free', share: 0 }], repetitionsMost: null, by: 'ada', why: 'w' }
  const stratum = { subcategory: null, documents: 1, tokens: 1, keyLast: 7n }
  const told = (round: number, more: object, strata: number) => {
    tell(model, 'RoundOpened', { ...opened(round), ...more })
    tell(model, 'Manifest', { ...manifest(round), strata: Array.from({ length: strata }, () => stratum) })
    return roundOf(model, round).manifest!.strata!.map(({ guarded }) => guarded)
  }
  expect(told(1, {}, 1)).toEqual([null])
  expect(told(2, { steered: [steering] }, 2)).toEqual(['all others', place])
  expect(told(3, { steered: [bounded], otherText }, 4)).toEqual([
    ...['all others', place, 'natural mixture: all others', `natural mixture: ${place}`],
  ])
  expect(told(4, { steered: [free], otherText }, 2)).toEqual(['by score', 'natural mixture'])
  // Nothing was steered here, and the opening has a share of its own.
  expect(told(5, { otherText }, 2)).toEqual(['by score', 'natural mixture'])
  expect(told(6, { otherText: { ...otherText, share: 0 } }, 1)).toEqual([null])
})

test('rewards of an actor that joined are shown beside the others, also before it was known to have', () => {
  const change = {
    ...{ id: 'j', kind: 'add', actor: 'newcomer', subcategories: ['x', 'y', 'z'], labelerVersion: 'v1', eta: 0.5 },
    ...{ initialWeights: [0, 0, 0], initialTheta: 0, fromRound: null, fit: null, by: 'ada', why: 'new', mapping: null },
  }
  const samples = [
    { actor: 'quality', subcategory: 1, docIds: [4n] },
    { actor: 'newcomer', subcategory: 2, docIds: [3n, 5n] },
  ]
  const events: [string, object][] = [
    ['RoundOpened', { ...opened(2), changes: [change] }],
    ['RoundOpened', { ...opened(3), samples }],
    ['Reward', { ...rewardOf(3, 3n, 5), actor: 'newcomer' }],
  ]
  for (const order of [events, events.toReversed()]) {
    const model = modelWithRun()
    for (const [record, value] of order) tell(model, record, value)
    const { asked, rewards, actors } = roundOf(model, 3)
    expect(actors!.map(({ name }) => name)).toEqual(['quality', 'newcomer'])
    expect(asked).toEqual([
      [0, 1],
      [0, 0, 2],
    ])
    expect(rewards).toEqual([
      [null, null],
      [null, null, { count: 1, mean: 5, deviation: 0, min: 5, max: 5 }],
    ])
  }
})

test('a round has the actors and subcategories that it was opened with, and says who changed them and why', () => {
  const part = (subcategory: string) => ({ subcategory, documents: 0 })
  const change = {
    ...{ id: 'c', kind: 'relabel', actor: 'quality', subcategories: ['low', 'fine', 'best'], labelerVersion: 'v2' },
    ...{ initialWeights: [0, 0, 0], fromRound: null, fit: null, by: 'ada', why: 'finer' },
    mapping: {
      origins: [
        { subcategory: 'low', from: [part('low')] },
        { subcategory: 'fine', from: [part('high')] },
        { subcategory: 'best', from: [part('high')] },
      ],
      retired: [],
    },
  }
  const later = { ...opened(3, [3n]), samples: [{ actor: 'quality', subcategory: 2, docIds: [3n] }] }
  const events: [string, object][] = [
    ['RoundOpened', opened(1)],
    ['RoundOpened', { ...opened(2), changes: [change] }],
    ['RoundOpened', later],
    ['Reward', rewardOf(3, 3n, 5)],
  ]
  for (const order of [events, events.toReversed()]) {
    const model = modelWithRun()
    for (const [record, value] of order) tell(model, record, value)
    expect([1, 2, 3].map((round) => roundOf(model, round).actors?.at(0)?.subcategories)).toEqual([
      ...[undefined, change.subcategories, change.subcategories],
    ])
    expect(roundOf(model, 2).changes).toEqual([
      'actor quality has labels of version v2 (high becomes fine, best) from round 2 on (ada: finer)',
    ])
    expect(roundOf(model, 3).rewards).toEqual([[null, null, { count: 1, mean: 5, deviation: 0, min: 5, max: 5 }]])
    expect(roundOf(model, 1).rewards![0]).toHaveLength(2)
  }
})
