import { type MetaPaths, type ReadingsByMeta, readingsByMeta } from '../../corpus/exposed-meta.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { accountOf, type Report } from './account-of.ts'
import { sumsOf, type Trained, type TrainedInputs } from './trained.ts'

/** Readings whose rows say the same of themselves. */
export interface Said {
  readonly value: string
  readonly documents: number
  readonly tokens: number
}

/** What rows say of one thing: by tokens, the most first; and what of them do not say it. */
export interface SaidOf {
  readonly said: readonly Said[]
  readonly notKnown: { readonly documents: number; readonly tokens: number }
}

/** What a model was trained on, from what was read. The same bytes whenever it is made. */
export interface Summary extends Trained {
  readonly licences: SaidOf
  readonly languages: SaidOf
  readonly webDomains: SaidOf
  /** Years of the rows' dates. */
  readonly years: SaidOf
  /** The earliest and latest of these dates, as rows have them; null: none has a date. */
  readonly dates: { readonly first: string; readonly last: string } | null
  /** What cannot be known from a run's log and the rows, and why. */
  readonly unknown: readonly { readonly field: string; readonly why: string }[]
}

/**
 * Sums of what a checkpoint has read, by what rows say of documents. Each kind of sums adds up to `tokens`.
 * @throws WinnowError GUARANTEE_VIOLATED if rows of documents that were read are missing
 */
export async function summaryOf(inputs: TrainedInputs, report: Report, paths: MetaPaths): Promise<Summary> {
  const account = await accountOf(inputs, report)
  const trained = await sumsOf(inputs, report, account)
  const sql = inputs.runtime.clickHouse.sql
  const all =
    account.reads.length === 0
      ? []
      : await readingsByMeta(sql, inputs.run.name, account.reads, account.corrections ?? [], paths)
  const of = (kind: ReadingsByMeta['kind']): SaidOf => {
    const rows = all.filter((row) => row.kind === kind)
    const tokens = rows.reduce((sum, row) => sum + row.tokens, 0)
    if (tokens !== trained.tokens)
      throw new WinnowError(
        'GUARANTEE_VIOLATED',
        `rows of documents that were read are missing: ${tokens} tokens by ${kind}, ${trained.tokens} in all`,
        {
          hint: 'Let the label sink write all documents (winnow up), and ask again.',
        },
      )
    const said = rows
      .filter(({ value }) => value !== '')
      .map(({ value, documents, tokens }) => ({ value, documents, tokens }))
    const none = rows.find(({ value }) => value === '')
    return {
      said: said.sort((a, b) => b.tokens - a.tokens || (a.value < b.value ? -1 : 1)),
      notKnown: { documents: none?.documents ?? 0, tokens: none?.tokens ?? 0 },
    }
  }
  const years = all.filter(({ kind, value }) => kind === 'year' && value !== '')
  const firsts = years.map(({ dateFirst }) => dateFirst).sort()
  const lasts = years.map(({ dateLast }) => dateLast).sort()
  const kinds = { licences: of('licence'), languages: of('language'), webDomains: of('web domain'), years: of('year') }
  return {
    ...trained,
    ...kinds,
    dates: firsts.length === 0 ? null : { first: firsts[0]!, last: lasts.at(-1)! },
    unknown: [...fieldsNotSaid(kinds), ...neverKnown, ...(trained.addsUp ? [] : [tokensDoNotAddUp])],
  }
}

const fieldsNotSaid = (kinds: Pick<Summary, 'licences' | 'languages' | 'webDomains' | 'years'>) =>
  Object.entries(kinds).flatMap(([field, { notKnown }]) =>
    notKnown.documents === 0
      ? []
      : [{ field, why: `rows of ${notKnown.documents} readings (${notKnown.tokens} tokens) do not say it` }],
  )

const tokensDoNotAddUp = {
  field: 'tokens',
  why: 'sums are of what ingest counted, which was not by the tokenizer of the trainer',
}

/** A run's log has none of these; whoever publishes the summary must add them. */
const neverKnown = [
  ['opt-outs', 'reservations of rights are not recorded: what was left out before ingest is not seen'],
  ['crawlers', 'names, periods and behaviour of crawlers are not in the rows'],
  ['rights holders', 'who holds rights in a document is not in the rows, nor are agreements with them'],
  ['personal data', 'documents are not searched for it'],
  ['synthetic data', 'whether a document was made by a model is not in the rows'],
  ['user data', 'whether a document is from users of a service is not in the rows'],
  ['other training', 'what the model was trained on outside of this run, before or after it'],
].map(([field, why]) => ({ field: field!, why: why! }))
