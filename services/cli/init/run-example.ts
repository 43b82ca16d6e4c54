import { stringify } from 'yaml'
import { defaultActors } from '../../../topologies/selection/default-actors.ts'

/** Settings of a run that belong together. */
export const presets = {
  small: {
    eta: 0.5,
    rewardTransform: 'standardize',
    unrewarded: 'mean',
    why: `Preset small: a small model and few rewards a round. Raw rewards of a small model are tiny, and the initial weights would stay in
  # charge of every round: so rewards are standardized within each round, and actors learn faster. The paper has eta 0.1, rewards as they
  # are (identity) and unrewarded: keep (winnow init --run --preset paper).`,
  },
  paper: {
    eta: 0.1,
    rewardTransform: 'identity',
    unrewarded: 'keep',
    why: `Preset paper: what the paper has. For a small model and few rewards a round see winnow init --run --preset small: eta 0.5,
  # rewards standardized within each round, unrewarded: mean.`,
  },
} as const
export type Preset = keyof typeof presets

export interface ExampleFacts {
  readonly name: string
  readonly preset: Preset
  /** A control: drawn at random in every round, which is what a run is compared with. */
  readonly control: boolean
  readonly actors: readonly { readonly name: string; readonly subcategories: readonly string[] }[]
  /** Versions of labelers in force, by actor. */
  readonly versions: ReadonlyMap<string, string>
  /** Of the corpus; the budget is a quarter of them. */
  readonly documents: number
  readonly reference: { readonly reward: string; readonly evaluation: string; readonly corpus: string }
  /** Where the texts of the reference come from, as a comment says it. */
  readonly referenceNote: string
  /** Whether the samples are passages of the corpus: as evaluation sets they would take the documents out that they are of. */
  readonly ofCorpus: boolean
  /** A folder, relative to the file, or an address. */
  readonly checkpoints: string
  /** A path or address of run.schema.json, for editors. */
  readonly schema: string
}

/** A commented run.yaml that works as it is: what is not said has the default of docs/run-yaml.md. */
export function exampleRun(facts: ExampleFacts): string {
  const { name, control, versions, documents, reference, schema } = facts
  const preset = presets[facts.preset]
  const actors = Object.fromEntries(
    facts.actors.map((actor) => [
      actor.name,
      {
        ...(!isDefault(actor) && { subcategories: actor.subcategories }),
        eta: preset.eta,
        ...(control && { initialTheta: 0 }),
      },
    ]),
  )
  const head = control
    ? `# A control: the same corpus, model and budget, and every round drawn at random. Compare with it: winnow compare RUN ${name}`
    : `# A run: what 'winnow run create' records, and 'winnow run start ${name}' runs. All keys: docs/run-yaml.md.`
  return `# yaml-language-server: $schema=${schema}
${head}
name: ${name}

selection:
  # Seed of everything that is drawn: the same seed on the same corpus selects the same documents.
  seed: 1
  # ${preset.why}
  actors:${control ? ' # theta 0 throughout: every document scores the same' : ''}
${below(actors, 4)}
  rewardTransform: { kind: ${preset.rewardTransform} }
  unrewarded: ${preset.unrewarded}
  # What a round selects: here a quarter of the ${documents} documents of the corpus. Or { tokens: N }.
  budget: { documents: ${Math.max(1, Math.floor(documents / 4))} }

# The trainer makes so many optimizer steps in all, and after each updateSteps a new round selects: here rounds 0 to 3.
steps: 200
updateSteps: 50
# Documents of each subcategory of each actor whose effect is measured in a round.${control ? ' 0: none, a control asks for no rewards.' : ''}
sampleDocuments: ${control ? 0 : 20}
# A round goes on without the answers that are missing by then.
rewardDeadlineSeconds: 600

# Versions of the labelers whose labels count, those in force now (winnow labeler versions). Left out: the same, at the time of recording.
labelers:
${below(Object.fromEntries(facts.actors.map((actor) => [actor.name, versions.get(actor.name)])), 2)}

# What the model shall become good at, as JSON lines (plain, .gz, .zst) with text, or with context and continuation.
# ${facts.referenceNote}
reference:
  reward: ${reference.reward} # rewards are measured against it
  evaluation: ${reference.evaluation} # the reference's loss is measured on it: other samples than those of reward
  corpus: ${reference.corpus} # the loss on other text: held-out documents like those of the corpus
  samplesMax: 64${facts.ofCorpus ? '\n  evalSets: false # true for texts of your own: then no document that contains a sample is selected' : ''}

# A folder of graphs of a model of your own (docs/influence.md), or the small one that is shipped: Llama, 2 layers of 64, 4,096 tokens.
model: shipped:llama-64x2
trainer: { batch: 8, context: 128, reportSteps: 25 }

# Where trainer and influence workers both find the checkpoints; on several machines a folder that they share, or s3://BUCKET/checkpoints.
checkpoints: ${stringify(facts.checkpoints).trim()}
`
}

const isDefault = ({ name, subcategories }: ExampleFacts['actors'][number]): boolean =>
  Object.hasOwn(defaultActors, name) && JSON.stringify(defaultActors[name]) === JSON.stringify(subcategories)

/** YAML, indented, each entry on one line. */
const below = (entries: object, indent: number): string =>
  Object.entries(entries)
    .map(([key, value]) => {
      const text = stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trim()
      return `${' '.repeat(indent)}${stringify(key).trim()}: ${text}`
    })
    .join('\n')
