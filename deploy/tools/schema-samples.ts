import type * as records from '../../schemas/index.ts'
import { asDocumentId } from '../../schemas/index.ts'

/** For each record, values at the limits of its fields; their bodies are kept with each published version. */
export interface Samples {
  Source: records.Source[]
  Document: records.Document[]
  Label: records.Label[]
  EvalSet: records.EvalSet[]
  EvalItems: records.EvalItems[]
  Exclusion: records.Exclusion[]
  Sketch: records.Sketch[]
  Gap: records.Gap[]
  LogPosition: records.LogPosition[]
  Run: records.Run[]
  Progress: records.Progress[]
  RoundAdopted: records.RoundAdopted[]
  RewardRequest: records.RewardRequest[]
  Reward: records.Reward[]
  RoundOpened: records.RoundOpened[]
  RoundClosed: records.RoundClosed[]
  RoundRelabelled: records.RoundRelabelled[]
  ActorChange: records.ActorChange[]
  Promotion: records.Promotion[]
  Steering: records.Steering[]
  ActorState: records.ActorState[]
  Manifest: records.Manifest[]
  Evaluation: records.Evaluation[]
  SelectionChunk: records.SelectionChunk[]
  DeadLetter: records.DeadLetter[]
  Work: records.Work[]
  Campaign: records.Campaign[]
  CampaignFit: records.CampaignFit[]
  ProxyClaim: records.ProxyClaim[]
  ProxyResult: records.ProxyResult[]
}

const u64Max = 2n ** 64n - 1n
/** The first id whose sign bit is set on the wire, as a signed number. */
const u64Middle = 2n ** 63n
/** Characters of two, three and four bytes in UTF-8, a NUL character, and a composed emoji. */
const unicode = 'äß €漢字 \u0000 👩‍🔬'
/** The largest whole number that avsc writes as a long. */
const longMax = Number.MAX_SAFE_INTEGER - 1
const intMax = 2 ** 31 - 1

const label: records.Label = {
  docId: asDocumentId(0n),
  actor: 'quality',
  subcategory: 0,
  score: 0,
  tokens: 0,
  version: '',
}
const progress: records.Progress = {
  ...{ run: 'a', step: 0, tokens: 0, round: 0, position: 0 },
  ...{ trainLoss: null, referenceLoss: null, corpusLoss: null, checkpoint: null },
}
const reward: records.Reward = {
  ...{ run: 'a', round: 0, actor: 'topic', docId: asDocumentId(0n), reward: 0 },
  ...{ checkpointDigest: '', graphDigest: '', estimator: 'gradient/cosine/identity', projectionSeed: '' },
  taskRewards: null,
}

const change: records.ActorChange = {
  ...{ run: 'a', id: 'i', kind: 'add', actor: 'style', fromRound: null, subcategories: ['plain', unicode], eta: 0.1 },
  ...{ initialWeights: [0.5, -0], initialTheta: null, labelerVersion: 'f'.repeat(64), labeler: '{}' },
  ...{ labelerFolder: '/', recordedMs: longMax, fit: null, mapping: null, by: '', why: '' },
}
const promoted: NonNullable<records.RoundOpened['promoted']> = {
  ...{ id: 'i', shadow: unicode, round: intMax, config: '{}', theta: [-0.5] },
  actors: [{ actor: 'style', weights: [0.1, -0], rewards: [null, 1], counts: [0, longMax], everRewarded: [1] }],
}
const steering: records.Steering = {
  ...{
    run: unicode,
    id: 's',
    repetitionsMost: intMax,
    by: unicode,
    why: unicode,
    fromRound: intMax,
    recordedMs: longMax,
    otherBound: { bound: 0.2, from: 0.1, run: unicode, loss: null, fall: 0.25 },
  },
  rules: [
    { kind: 'floor', actor: unicode, subcategory: '0-1', share: 0.1 },
    { kind: 'free', actor: 'a', subcategory: '', share: 0 },
  ],
}
const relabelling: records.ActorChange = {
  ...{ ...change, id: 'k', kind: 'relabel', initialWeights: [] },
  fit: {
    ...{ run: 'a', rounds: [2, 3], checkpoint: '00', probes: 400, inputs: 'f'.repeat(64), settings: '{}' },
    rewardOffsets: [{ partition: 1, offsetNext: longMax }],
    ...{ spearman: -0.25, measured: 400, chance: 0.0824 },
  },
}

const mapped: records.ActorChange = {
  ...{ ...change, id: 'm', kind: 'relabel', by: unicode, why: unicode },
  mapping: {
    origins: [
      { subcategory: 'plain', from: [] },
      {
        subcategory: unicode,
        from: [
          { subcategory: 'a', documents: longMax },
          { subcategory: unicode, documents: 0 },
        ],
      },
    ],
    retired: [unicode],
  },
}

export const samples: Samples = {
  Source: [
    { name: '', source: 0, fingerprint: '', rowNext: 0, documents: 0, rejected: 0, complete: false, textField: 'text' },
    {
      ...{ name: `${unicode}.jsonl.gz`, source: 2 ** 24 - 1, fingerprint: 'ab', rowNext: 2 ** 40 },
      ...{ documents: longMax, rejected: 1, complete: true, textField: 'data.body' },
    },
  ],
  Document: [
    { docId: asDocumentId(0n), text: '', tokens: 0, meta: '{}' },
    { docId: asDocumentId(1n), text: 'a', tokens: 1, meta: '{}' },
    {
      docId: asDocumentId(u64Middle),
      text: unicode,
      tokens: longMax,
      meta: `{"meta":{"redpajama_set_name":"${'x'.repeat(200)}"}}`,
    },
    { docId: asDocumentId(u64Max), text: 'b'.repeat(70), tokens: 64, meta: '{}' },
  ],
  Label: [
    label,
    { ...label, docId: asDocumentId(2n ** 53n + 1n), score: -0, subcategory: 1 },
    { ...label, docId: asDocumentId(u64Middle - 1n), score: Number.NaN, subcategory: intMax },
    { ...label, docId: asDocumentId(u64Middle), score: Number.POSITIVE_INFINITY, subcategory: -1 },
    { ...label, docId: asDocumentId(u64Max), score: Number.NEGATIVE_INFINITY, subcategory: -(2 ** 31), actor: unicode },
    { ...label, docId: asDocumentId(42n), score: 5e-324, tokens: longMax, version: 'f'.repeat(64) },
  ],
  EvalSet: [
    {
      ...{ name: '', version: '', ngram: 1, share: 0, items: 0, chunks: 0, active: false, by: '', origin: '' },
      ...{ addedMs: 0, recordedMs: 0 },
    },
    {
      ...{ name: unicode, version: 'f'.repeat(64), ngram: intMax, share: 0.5, items: longMax, chunks: intMax },
      ...{ active: true, by: unicode, origin: '/sets/birds.jsonl', addedMs: longMax, recordedMs: longMax },
    },
  ],
  EvalItems: [
    { set: '', version: '', chunk: 0, items: [] },
    { set: unicode, version: 'f'.repeat(64), chunk: intMax, items: ['', unicode, 'a'.repeat(200)] },
  ],
  Exclusion: [
    {
      ...{ docId: asDocumentId(0n), list: '', reason: 'duplicate', excluded: false, by: '', recordedMs: 0 },
      contained: null,
    },
    {
      ...{ docId: asDocumentId(u64Max), list: unicode, reason: 'contamination', excluded: true, by: unicode },
      ...{ recordedMs: longMax, contained: { item: intMax, found: 0, of: intMax, from: 0, to: longMax } },
    },
  ],
  Sketch: [
    { docId: asDocumentId(0n), version: '', keys: [] },
    { docId: asDocumentId(u64Max), version: unicode, keys: [0, 1, longMax] },
  ],
  Gap: [
    {
      ...{ topic: '', partition: 0, topicId: null, reason: 'deleted', from: 0, to: 0, station: '', accepted: false },
    },
    {
      ...{ topic: unicode, partition: intMax, topicId: 'kC7LQ2T1T_ujGxDAHhIF4g', reason: 'recreated', from: longMax },
      ...{ to: longMax, station: 'label sink', accepted: true },
    },
  ],
  LogPosition: [
    { group: '', station: '', topic: '', partition: 0, topicId: '', offset: 0, leaderEpoch: null },
    {
      ...{ group: 'winnow.a.console', station: 'console', topic: unicode, partition: intMax, offset: longMax },
      ...{ topicId: 'kC7LQ2T1T_ujGxDAHhIF4g', leaderEpoch: intMax },
    },
  ],
  Run: [
    { run: 'a', config: '{}', replayOf: null, selectionVersion: 1, life: 'active', recordedMs: null },
    {
      ...{ run: unicode, config: '{"seed":"18446744073709551615"}', replayOf: '', selectionVersion: 2 },
      ...{ life: 'archived', recordedMs: longMax },
    },
  ],
  Progress: [
    progress,
    {
      ...{ run: 'a', step: longMax, tokens: longMax, round: intMax, position: longMax },
      ...{ trainLoss: 2.5, referenceLoss: Number.NaN, corpusLoss: -0 },
      checkpoint: { path: '/checkpoints/1500.safetensors', digest: 'cd', step: 1500 },
    },
  ],
  RoundAdopted: [
    { run: '', round: 0, step: 0, sequenceFirst: 0, previousRound: null, previousRead: null },
    { run: unicode, round: intMax, step: longMax, sequenceFirst: longMax, previousRound: 0, previousRead: longMax },
  ],
  RewardRequest: [
    { run: '', round: 0, actor: '', docId: asDocumentId(0n), text: '', checkpointPath: '', checkpointDigest: '' },
    {
      ...{ run: 'a', round: intMax, actor: 'domain', docId: asDocumentId(u64Max), text: unicode },
      ...{ checkpointPath: '/c', checkpointDigest: 'ef' },
    },
  ],
  Reward: [
    reward,
    { ...reward, docId: asDocumentId(u64Middle), reward: -1, projectionSeed: String(u64Max) },
    { ...reward, docId: asDocumentId(u64Max), reward: Number.NaN },
    { ...reward, reward: 0.25, estimator: 'probe/cosine/0.05/mean-of-2', taskRewards: [-0.5, 1] },
  ],
  RoundOpened: [
    {
      ...{ run: 'a', round: 0, step: 0, checkpointPath: null, checkpointDigest: null, previousRead: null },
      ...{ labelOffsets: [], samples: [], deadlineMs: null, changes: [], reads: [], promoted: null, steered: [] },
      otherText: null,
    },
    {
      ...{ run: 'a', round: 3, step: 4500, checkpointPath: '/c', checkpointDigest: '00', previousRead: 0 },
      labelOffsets: [
        { topic: 'winnow.documents', partition: 0, offsetNext: 0 },
        { topic: 'winnow.labels.quality', partition: 3, offsetNext: longMax },
      ],
      samples: [
        { actor: 'quality', subcategory: 0, docIds: [], labels: [], held: 0 },
        {
          ...{ actor: 'topic', subcategory: 12, docIds: [0n, u64Middle, u64Max].map(asDocumentId) },
          ...{
            labels: [
              [0, 12],
              [4, 12],
              [intMax, 12],
            ],
            held: longMax,
          },
        },
      ],
      deadlineMs: 1_800_000_000_000,
      changes: [
        change,
        { ...change, id: 'j', kind: 'remove', initialTheta: -0.5, fromRound: intMax },
        relabelling,
        mapped,
      ],
      reads: [{ round: 1, read: longMax }],
      promoted,
      steered: [steering],
      otherText: { share: 0.333333, step: longMax, loss: 5.25, heldAgainst: -0 },
    },
  ],
  Promotion: [
    { run: 'a', id: 'i', shadow: 'b', config: '{}', fromRound: null, recordedMs: 0 },
    {
      run: unicode,
      id: '',
      shadow: unicode,
      config: '{"seed":"18446744073709551615"}',
      fromRound: intMax,
      recordedMs: longMax,
    },
  ],
  Steering: [
    {
      ...{ run: 'a', id: '', rules: [], repetitionsMost: null, by: '', why: '', fromRound: null, recordedMs: 0 },
      otherBound: null,
    },
    steering,
    { ...steering, otherBound: { bound: 0, from: null, run: null, loss: -5, fall: null } },
  ],
  ActorChange: [
    change,
    { ...change, kind: 'freeze', subcategories: [], initialWeights: [], fromRound: 0 },
    relabelling,
    mapped,
  ],
  RoundRelabelled: [
    { run: 'a', round: 1, change: null, labelOffsets: [] },
    {
      ...{ run: 'a', round: 2, change: relabelling },
      labelOffsets: [{ topic: 'winnow.labels.style', partition: 1, offsetNext: longMax }],
    },
  ],
  RoundClosed: [
    { run: 'a', round: 0, reason: 'answered', rewardOffsets: [], missing: 0 },
    {
      ...{ run: 'a', round: 1, reason: 'deadline', missing: 7 },
      rewardOffsets: [{ topic: 'winnow.run.a.rewards', partition: 1, offsetNext: 300 }],
    },
  ],
  ActorState: [
    { run: 'a', actor: 'q', round: 0, weights: [], rewards: [], counts: [], everRewarded: [], inputOffsets: [] },
    {
      ...{ run: 'a', actor: 'q', round: 2, weights: [0.1, -0, 1e308], rewards: [null, -0.25, 5e-324] },
      ...{ counts: [0, 1, longMax], everRewarded: [1, 2] },
      inputOffsets: [{ topic: 'winnow.run.a.rewards', partition: 0, offsetNext: 12 }],
    },
  ],
  Manifest: [
    {
      ...{ run: 'a', round: 0, step: 0, actors: [], theta: [], weights: [], actorRewards: [], documents: 0, tokens: 0 },
      ...{
        threshold: null,
        marginal: null,
        histogramDigest: '',
        selectionDigest: '',
        selectionRoot: null,
        labelOffsets: [],
      },
      ...{ chunkDocuments: 0, chunkOffsetFirst: -1, parts: [], strata: null },
    },
    {
      ...{ run: 'a', round: 1, step: 1500, actors: ['quality', 'domain'], theta: [0.5, 0.5] },
      ...{ weights: [[1, 2], []], actorRewards: [null, -1], documents: 3, tokens: longMax, threshold: -0.125 },
      ...{
        marginal: { score: -0.125, documents: 9, taken: 2, keyLast: 2n ** 64n - 1n },
        histogramDigest: 'a',
        selectionDigest: 'b',
        selectionRoot: 'c',
      },
      labelOffsets: [{ topic: 'winnow.labels.quality', partition: 0, offsetNext: 3 }],
      ...{ chunkDocuments: 4096, chunkOffsetFirst: 17 },
      parts: [
        { chunkFirst: 0, offsetFirst: 17 },
        { chunkFirst: 512, offsetFirst: longMax },
      ],
      strata: [
        {
          ...{ subcategory: null, heldDocuments: 0, heldTokens: longMax, quota: null, documents: 0, tokens: 0 },
          ...{ threshold: null, keyLast: null, refined: 0 },
        },
        {
          ...{ subcategory: 6, heldDocuments: 9, heldTokens: 90, quota: 5, documents: 5, tokens: 50 },
          ...{ threshold: -0.5, keyLast: u64Max, refined: 4 },
        },
      ],
    },
  ],
  Evaluation: [
    { run: 'a', round: 0, on: 'held-out', answers: 0, estimates: [] },
    {
      ...{ run: unicode, round: intMax, on: 'next-round', answers: longMax },
      estimates: [
        {
          policy: 'corpus',
          mean: null,
          low: null,
          high: null,
          gain: null,
          gainLow: null,
          gainHigh: null,
          effective: 0,
        },
        { policy: unicode, mean: 0.1, low: -0, high: 1e300, gain: -1, gainLow: -2, gainHigh: 5e-324, effective: 12.5 },
      ],
    },
  ],
  SelectionChunk: [
    { run: 'a', round: 0, indexFirst: 0, docIds: new BigUint64Array() },
    { run: 'a', round: 1, indexFirst: longMax, docIds: BigUint64Array.of(0n, 1n, u64Middle - 1n, u64Middle, u64Max) },
  ],
  Work: [
    {
      ...{ run: null, purpose: 'labels', subject: '', model: '', device: '', parameters: 0, parametersAll: 0 },
      ...{ documents: 0, tokens: 0, factor: 0, flops: 0, seconds: 0, stream: '', partition: 0, first: 0, next: 1 },
    },
    {
      ...{ run: 'a', purpose: 'rewards', subject: unicode, model: 'llama', device: 'cuda', parameters: longMax },
      ...{ parametersAll: longMax, documents: 7, tokens: longMax, factor: 6, flops: 7.13e20, seconds: 0.25 },
      ...{ stream: 'winnow.run.a.reward-requests', partition: intMax, first: 2 ** 40, next: 2 ** 40 + 1024 },
    },
  ],
  DeadLetter: [
    {
      ...{ station: '', reason: '', message: '', origin: '', topic: null, partition: null, offset: null },
      ...{ file: null, line: null, key: null, value: null },
    },
    {
      ...{ station: 'ingest', reason: 'bad-json', message: unicode, origin: 'a:7', topic: 't', partition: 0 },
      ...{ offset: longMax, file: 'a', line: 7, key: new Uint8Array(0), value: new Uint8Array([0, 127, 128, 255]) },
    },
  ],
  Campaign: [
    {
      ...{ campaign: 'a', actor: 'topic', config: '{}', tokens: [], mixtures: [], labelOffsets: [], recordedMs: 0 },
      ...{ method: 'regmix', models: [], target: null, options: null },
    },
    {
      ...{
        campaign: unicode,
        actor: 'domain',
        config: unicode,
        tokens: [0, longMax],
        mixtures: [
          [0, 5000],
          [intMax, 1],
        ],
      },
      labelOffsets: [{ topic: 'winnow.documents', partition: intMax, offsetNext: longMax }],
      recordedMs: longMax,
      ...{
        method: 'dmlaw',
        models: [{ model: unicode, parameters: longMax }],
        target: { parameters: 1, steps: longMax },
        options: '{"rate":1}',
      },
    },
  ],
  CampaignFit: [
    {
      ...{ campaign: 'a', proxies: [], inputs: '', kind: 'gbdt', heldOut: [], draws: 0, mean: 1, bounds: null },
      ...{ shares: [], loss: 0, scale: 'share', weights: [], recordedMs: 0, extrapolated: [] },
    },
    {
      ...{ campaign: unicode, proxies: [0, intMax], inputs: 'ab', kind: 'exponential' },
      heldOut: [
        { kind: 'gbdt', folds: 8, spearman: null },
        { kind: 'linear', folds: intMax, spearman: -1 },
      ],
      ...{ draws: intMax, mean: 128, bounds: [0.25, 1], shares: [0.1, 0.9], loss: 5e-324 },
      ...{ scale: 'lift', weights: [-1.5, Number.MAX_VALUE], recordedMs: longMax, extrapolated: [-0, 7.5] },
    },
  ],
  ProxyClaim: [
    { campaign: 'a', proxy: 0, worker: 0n },
    { campaign: unicode, proxy: intMax, worker: u64Max },
  ],
  ProxyResult: [
    { campaign: 'a', proxy: 0, shares: [], loss: 0, corpusLoss: 0, seconds: 0, curve: [], learned: null },
    {
      ...{ campaign: unicode, proxy: intMax, shares: [0.1, 0.9], loss: 5e-324, corpusLoss: 7.25, seconds: 1e9 },
      curve: [{ step: longMax, loss: -0 }],
      learned: { updates: intMax, last: [0.25, 0.75], course: [[], [0.5, 0.5]] },
    },
  ],
}
