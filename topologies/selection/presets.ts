import type { StrategyParts } from './strategy.ts'

/** A method by name: its four parts, and what a person who chooses it should know. */
export interface Preset {
  readonly name: string
  readonly summary: string
  /** What is left out has the default of every strategy. */
  readonly parts: StrategyParts
  /** Other keys of `selection` that belong to it; a run's file sets them. */
  readonly beside?: Readonly<Record<string, unknown>>
  /** The actors that the run must have for it, and what their labels must be. */
  readonly needs: Readonly<Record<string, string>>
  readonly source: string
  readonly formula: string
  /** Where this differs from the authors' code, or that from their paper; undefined: nowhere that we know of. */
  readonly divergence?: string
  /** In floating-point operations, besides training: N parameters, T tokens of the corpus. */
  readonly cost: string
}

const perplexity = {
  perplexity: 'score: mean negative log-likelihood in nats of a reference model (labeler perplexity)',
}
const quality = { quality: 'score: the regression of FineWeb-Edu, 0 to 5 (the default labeler of quality)' }
const domain = { domain: 'subcategories: the domains of SlimPajama (the default labeler of domain)' }

const ppl = (band: string, quantiles: [number, number]): Preset => ({
  name: `ppl-${band}`,
  summary: `documents of ${band} perplexity, at random`,
  parts: { pool: [{ actor: 'perplexity', quantiles }], score: { kind: 'zero' } },
  needs: perplexity,
  source: 'Ankner et al. 2024, arXiv 2405.20541, Algorithm 1 with rate 0.5',
  formula: `score between the quantiles ${quantiles[0]} and ${quantiles[1]} of the corpus; then a uniform draw`,
  divergence:
    'The original ranks by perplexity, which is monotone in the mean; quantiles are over all documents that take part, not over half of the corpus.',
  cost: '2 N T for the labels, and the training of the reference model',
})

const qurating = (criterion: string, actor: string, what: string): Preset => ({
  name: `qurating-${criterion}`,
  summary: `QuRating's ${what}, sampled with temperature 2 within each domain's share`,
  parts: {
    score: { kind: 'label', actor, standardize: 'corpus' },
    mixture: { actor: 'domain', proportional: true },
    sampler: { kind: 'gumbel', temperature: 2 },
  },
  needs: { [actor]: `score: QuRater's rating of ${what} (a head of its model, labeler onnx)`, ...domain },
  source: 'Wettig et al. 2024, arXiv 2402.09739; select_subset.py',
  formula:
    'g = z / 2 + G with z the rating, standardized by mean and population deviation of the corpus; highest g first',
  divergence:
    'The repository adds noise only with --sample, which its example with temperature 2.0 leaves out; it works on segments of 1,024 tokens, winnow on documents.',
  cost: '2 N T for the labels: 7.13e20 for 1.345e9 parameters and 265e9 tokens (Table 6)',
})

const dsir = (target: string, domainName: string): Preset => ({
  name: `dsir-${target}`,
  summary: `importance resampling towards ${domainName}`,
  parts: {
    pool: [{ tokensMin: 100 }],
    score: { kind: 'label', actor: `dsir-${target}` },
    sampler: { kind: 'gumbel', temperature: 1 },
  },
  needs: { [`dsir-${target}`]: `score: ln p(${domainName}) - ln p(corpus) of hashed uni- and bigrams (labeler dsir)` },
  source: 'Xie et al. 2023, arXiv 2302.03169; hashed_ngram_dsir.py',
  formula: 'g = log importance weight + G; highest g first; documents of at least 100 tokens',
  divergence:
    "As in the authors' package, the weight is not divided by the length, so long documents are favoured; tokens are counted by winnow, not by WordPunct.",
  cost: 'about 4 T on a CPU',
})

/** Shares of Table 10 in percent, in the order of the domain actor: ArXiv, Book, C4, CommonCrawl, GitHub, StackExchange, Wikipedia. */
const mixture = (name: string, method: string, source: string, weights: number[], divergence?: string): Preset => ({
  name,
  summary: `the domain weights of ${method}, at random within each domain`,
  parts: { score: { kind: 'zero' }, mixture: { actor: 'domain', weights } },
  needs: domain,
  source: `${source}; weights: the paper, Table 10`,
  formula: 'quotas of the budget by weight over the sum of weights; a uniform draw within each',
  ...(divergence !== undefined && { divergence }),
  cost: 'none here: the weights are published; training your own proxy models costs what the method says',
})

const published =
  'The weights were published for SlimPajama or fitted by others; a fit on your own corpus gives different ones.'

export const presets: readonly Preset[] = [
  {
    name: 'multi-actor',
    summary: 'the method of the paper: actors weighted by the rewards of the model in training',
    parts: {},
    needs: {},
    source: 'the paper, Eq. 4 to 8 and Algorithm 2',
    formula: 'S = sum over actors of theta_A * w_A of the subcategory; highest S first',
    divergence: "The authors' code differs from the paper (docs/SELECTION.md follows the paper): see paper-code.",
    cost: '2 N T for each label pass, and 6 N for each token of the samples of a round',
  },
  {
    name: 'paper-code',
    summary: "the paper's method as the authors' published code has it, for comparison",
    parts: { score: { kind: 'actors', update: 'code' } },
    beside: { repetitionDecay: 0.1 },
    needs: {},
    source: 'github.com/Relaxed-System-Lab/multi-actor-data-selection at 1b7233c, src/data_selection',
    formula:
      "after each reward r of j: w_j = (1 - eta) w_j + eta exp(0.5 r), then w_A over its sum; S_j = w_j (exp(0.6 r) / 100 - 1) / n_j with r the last of j's n_j rewards; theta_i = theta_i + S_i - mean(S), over its sum, with S_i the i-th of all subcategories",
    divergence:
      'From the paper: weights begin at 10 and follow single rewards instead of their mean; theta follows, without eta, the first subcategories of the first actor (quality 0-1, 1-2 and 2-3 for the three actors); scores fall by how often a document was read. The four parts do not say: its rewards come in the order of files, here by document id; a quality of exactly 5 is in none of its intervals and scores 0, here it is in 4-5; it keeps all documents that tie with the last one of the best 8.5 million, here a budget is never exceeded; its script starts every iteration from weights of 10, here a round goes on from the one before; a subcategory without rewards stops it, here the subcategory keeps its weight and has no S.',
    cost: '2 N T for each label pass, and 6 N for each token of the samples of a round',
  },
  {
    name: 'random',
    summary: 'a uniform draw: the control of every comparison',
    parts: { score: { kind: 'zero' } },
    needs: {},
    source: 'the paper, section 4.1: Random with 30e9 tokens, and with 60e9 (twice the budget and the steps)',
    formula: 'documents in the order of their keys',
    cost: 'none',
  },
  ppl('low', [0, 0.5]),
  ppl('medium', [0.25, 0.75]),
  ppl('high', [0.5, 1]),
  qurating('writing', 'writing', 'writing style'),
  qurating('facts', 'facts', 'facts and trivia'),
  qurating('edu', 'educational', 'educational value'),
  qurating('expertise', 'expertise', 'required expertise'),
  {
    name: 'fineweb-edu',
    summary: 'documents whose educational score rounds to 3 or more, at random',
    parts: { pool: [{ actor: 'quality', scoreAbove: 2.5 }], score: { kind: 'zero' } },
    needs: quality,
    source: 'Penedo et al. 2024, arXiv 2406.17557; filter_edu_fineweb.py with int_score >= 3',
    formula: 'score > 2.5; then a uniform draw',
    divergence: 'None: Python rounds 2.5 to 2, so the cut is strict.',
    cost: '2 N T for the labels, which the quality actor shares',
  },
  dsir('book', 'Book'),
  dsir('wiki', 'Wikipedia'),
  {
    name: 'mates',
    summary: 'documents whose predicted reference loss after a step on them is low, sampled with temperature 0.5',
    parts: {
      score: { kind: 'label', actor: 'influence', sign: -1 },
      sampler: { kind: 'gumbel', temperature: 0.5 },
    },
    needs: {
      influence:
        'score: the reference loss after one step on the document, standardized, as a model predicts it that was trained on probes at the current checkpoint (winnow mates fit: docs/mates.md)',
    },
    source: 'Yu et al. 2024, arXiv 2406.06046; select_data.py',
    formula: 'g = -s / 0.5 + G with s the prediction: a lower loss is better; highest g first',
    divergence:
      'The code adds the noise to s / 0.5 and takes the smallest, which is not sampling by exp(-s / 0.5): the noise has its thin tail there. The code takes probes of single sequences after a step of AdamW, and a BERT for the predictions; here they are the rewards of a round, by run.yaml, and a linear model of hashed n-grams, unless another is brought.',
    cost: 'for each stage: the probes (6 N L + 2 N T of the reference, each), the training of the influence model, and 2 N T for the labels',
  },
  mixture('doge', 'DoGE', 'Fan et al. 2024, arXiv 2310.15393', [8.8, 4.5, 26.93, 21.35, 7.03, 16.58, 14.82], published),
  mixture(
    'doremi',
    'DoReMi',
    'Xie et al. 2023, arXiv 2305.10429',
    [4.24, 8.19, 11.41, 38.11, 6.54, 8.47, 23.07],
    published,
  ),
  mixture(
    'dmlaw',
    'data mixing laws',
    'Ye et al. 2024, arXiv 2403.16952',
    [25, 9.38, 25, 12.5, 14.06, 12.5, 1.56],
    `${published} These are for RedPajama.`,
  ),
  mixture(
    'regmix',
    'RegMix',
    'Liu et al. 2024, arXiv 2407.01492',
    [0.08, 0.23, 51.03, 17.37, 0.23, 1.27, 29.77],
    published,
  ),
]

export const presetNames = presets.map(({ name }) => name) as [string, ...string[]]

export const presetNamed = (name: string): Preset | undefined => presets.find((preset) => preset.name === name)
