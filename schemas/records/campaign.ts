import { array, documented, double, int, long, nullable, string, u64, word } from '../field.ts'
import { nested, type RecordValue, record } from '../record.ts'

const ReadTo = record('ReadTo', 'How far a topic was read', {
  topic: string,
  partition: int,
  offsetNext: long,
})

const ProxyModel = record('ProxyModel', 'A model that proxies are trained on', {
  model: documented(string, 'Folder of its graphs, or shipped:NAME'),
  parameters: documented(long, 'All of them'),
})
export type ProxyModel = RecordValue<typeof ProxyModel>

const TargetSize = record('TargetSize', 'The training that small ones are extrapolated to', {
  parameters: long,
  steps: documented(long, "Optimizer steps, of as many tokens as the proxies' steps"),
})
export type TargetSize = RecordValue<typeof TargetSize>

/** How a campaign leads to a mixture. */
export const campaignMethods = ['regmix', 'dmlaw', 'doremi', 'doge'] as const

/** A campaign of proxies: many small runs that differ in their mixture alone. Key: `NAME/plan`. Written once. */
export const Campaign = record('Campaign', 'Many small runs that differ in their mixture alone', {
  campaign: string,
  actor: documented(string, 'Whose subcategories are mixed'),
  config: documented(string, 'What the proxies have in common: a run configuration, as JSON'),
  tokens: documented(array(long), 'What the corpus held, by subcategory: the prior of the mixtures'),
  mixtures: documented(array(array(int)), 'For each proxy, parts of 1/5000 by subcategory'),
  labelOffsets: documented(array(nested(ReadTo)), 'The corpus that every proxy selects from: as of these offsets'),
  recordedMs: documented(long, 'Milliseconds since the epoch'),
  method: {
    ...documented(word(campaignMethods), 'How it leads to a mixture (docs/proxies.md)'),
    // Of campaigns planned before this field existed.
    default: 'regmix',
  },
  models: {
    ...documented(
      array(nested(ProxyModel)),
      'Of dmlaw: each mixture is trained on each of these; empty: on the model of the configuration alone',
    ),
    default: [],
  },
  target: documented(nullable(nested(TargetSize)), 'Of dmlaw'),
  options: documented(nullable(string), "Of doremi and doge: the method's options, as JSON"),
})
export type Campaign = RecordValue<typeof Campaign>

const CurvePoint = record('CurvePoint', 'A loss on the way', {
  step: documented(long, 'Optimizer steps done'),
  loss: documented(double, "On the run's reference for rewards, nats per token"),
})
export type CurvePoint = RecordValue<typeof CurvePoint>

/** A worker's claim on a proxy, repeated while it trains it. Key: the proxy. */
export const ProxyClaim = record('ProxyClaim', 'A worker trains a proxy, or still does', {
  campaign: string,
  proxy: int,
  worker: documented(u64, 'Drawn when the worker started'),
})
export type ProxyClaim = RecordValue<typeof ProxyClaim>

const LearnedWeights = record('LearnedWeights', 'How weights went that were learned while a proxy trained', {
  updates: int,
  last: documented(array(double), 'After the last update, by subcategory'),
  course: documented(array(array(double)), 'The mean of the weights so far, after each tenth of the updates'),
})

/** What a proxy came to. Key: the proxy. The first in log order counts; a repeat on the same machine says the same. */
export const ProxyResult = record('ProxyResult', 'The loss that a proxy reached with its mixture', {
  campaign: string,
  proxy: int,
  shares: documented(
    array(double),
    'Of the tokens selected, by subcategory: other than planned where the corpus held too little of one. Of doremi and doge: the mean of the weights',
  ),
  loss: documented(double, "On the run's reference for rewards, nats per token"),
  corpusLoss: documented(double, 'On held-out documents of the corpus, nats per token'),
  seconds: double,
  curve: {
    ...documented(array(nested(CurvePoint)), 'Of dmlaw: the loss at several steps, the last one included'),
    default: [],
  },
  learned: documented(nullable(nested(LearnedWeights)), 'Of doremi and doge'),
})
export type ProxyResult = RecordValue<typeof ProxyResult>

const HeldOutFit = record('HeldOutFit', 'How well a fit orders mixtures that it has not seen', {
  kind: string,
  folds: int,
  spearman: documented(nullable(double), 'null: its predictions do not vary'),
})

/** The mixture that a campaign leads to. Key: `NAME/fit/DIGEST`, of itself: one by other options is another record. The last one counts. */
export const CampaignFit = record('CampaignFit', 'The mixture that a campaign leads to', {
  campaign: string,
  proxies: documented(array(int), 'Those whose results it is made from'),
  inputs: documented(string, 'SHA-256 of the plan and of these results'),
  kind: documented(string, 'gbdt, exponential or linear; doremi or doge'),
  heldOut: documented(array(nested(HeldOutFit)), 'Of every fit that was tried'),
  draws: int,
  mean: documented(int, 'How many of the best draws the mixture is the mean of'),
  bounds: documented(nullable(array(double)), 'Highest share by subcategory'),
  shares: documented(array(double), 'The mixture, by subcategory'),
  loss: documented(double, 'Predicted at the mixture; of doremi and doge: measured, of the proxy'),
  scale: documented(word(['share', 'lift']), 'How a share became an initial weight (docs/proxies.md)'),
  weights: documented(array(double), 'Initial weights of the actor'),
  recordedMs: documented(long, 'Milliseconds since the epoch'),
  extrapolated: {
    ...documented(array(double), 'Of dmlaw: the loss of each mixture at the target, which the mixture is fitted to'),
    default: [],
  },
})
export type CampaignFit = RecordValue<typeof CampaignFit>
