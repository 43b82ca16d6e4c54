import type { Source } from '../../schemas/index.ts'
import { shownPlace } from '../runtime/stores/place.ts'
import type { Compression } from './compression/compression.ts'
import { type Fingerprint, fingerprintOfFile, fingerprintOfHead, parseFingerprint } from './fingerprint.ts'
import { formatOf } from './formats/detect.ts'
import type { Foreign } from './formats/format.ts'
import { foreignError, parquetFromStandardInput, remedy } from './formats/refusal.ts'
import { isDescription } from './formats/text.ts'
import { type FoundFile, type Input, openFile, openStream } from './input.ts'
import { changeOf, settledOutcome } from './known.ts'
import type { Description } from './left-out.ts'
import { mayBeDescription } from './names.ts'
import { beyondLimits } from './parquet/check.ts'
import type { ParquetLimits } from './parquet/read.ts'
import { parseRow } from './row.ts'
import type { FileSource, SourceFile } from './source-files.ts'
import { type TextFields, textFieldOf } from './text-field.ts'

interface Planned {
  readonly source: SourceFile
  /** As recorded in the topic; null: never seen. */
  readonly known: Source | null
}

/** How to read the rows of a source; decided by its first bytes. */
export type Rows =
  | { readonly kind: 'parquet'; readonly file: FoundFile }
  | { readonly kind: 'lines'; readonly compression: Compression; open(): Promise<Input> }

export interface ToRead extends Planned {
  readonly action: 'read'
  /** Where its rows have their text. */
  readonly textField: string
  /** Read from the first row: it was never seen, or gave no document, so there are no ids to keep. */
  readonly anew: boolean
  readonly rows: Rows
  /** Of its first bytes; of all that there were when it was planned. */
  fingerprint(byteLength?: number): Promise<Fingerprint>
}

export interface ToPass extends Planned {
  readonly action: 'pass'
  readonly outcome: 'already' | 'refused' | 'other-content' | 'too-large'
  readonly why: string | null
}

/** What to do about one source, decided before anything is written. */
export type Plan = ToRead | ToPass

export interface Plans {
  readonly plans: readonly Plan[]
  /** Files of a folder that turned out to hold no rows. */
  readonly descriptions: readonly Description[]
}

export interface PlanOptions {
  readonly known: ReadonlyMap<string, Source>
  /** Read (its beginning only) if one of the sources is standard input. */
  readonly standardInput: AsyncIterable<Buffer>
  readonly limits: ParquetLimits
  readonly textFields: TextFields
}

/**
 * Compares the sources with what the topic knows about them, and detects their formats. @throws WinnowError CONFIGURATION naming all sources
 * in unsupported formats
 */
export async function planSources(sources: readonly SourceFile[], options: PlanOptions): Promise<Plans> {
  const plans: Plan[] = []
  const foreign: { name: string; path: string | null; format: Foreign }[] = []
  const descriptions: Description[] = []
  for (const source of sources) {
    const known = options.known.get(source.name) ?? null
    const path = source.kind === 'file' ? shownPlace(source.path) : null
    const plan = await (source.kind === 'file'
      ? planFile(source, known, options)
      : planStandardInput(source, known, options))
    if (plan.action !== 'foreign') {
      plans.push(plan)
      continue
    }
    const { format } = plan
    const one = { name: source.name, path, format }
    const described = source.kind === 'file' && source.found && mayBeDescription(source.name) && format.jsonDocument
    if (described) descriptions.push({ name: source.name, why: format.what, hint: remedy(one) })
    else foreign.push(one)
  }
  if (foreign.length > 0) throw foreignError(foreign)
  return { plans, descriptions }
}

interface ForeignPlan {
  readonly action: 'foreign'
  readonly format: Foreign
}

async function planFile(
  source: FileSource,
  known: Source | null,
  { limits, textFields }: PlanOptions,
): Promise<Plan | ForeignPlan> {
  const { path, byteLength, name } = source
  const textField = textFieldOf(name, textFields)
  const change = known === null ? null : ((await changeOf(source, known)) ?? fieldChange(known, textField))
  if (known !== null && known.documents > 0 && change !== null) return otherContent(source, known, change)
  const outcome = known === null || change !== null ? null : settledOutcome(known, byteLength)
  if (outcome !== null) return { source, known, action: 'pass', outcome, why: null }

  const input = await openFile(source)
  await input.close()
  const format = await formatOf(input, path)
  if (format.kind === 'foreign') return { action: 'foreign', format }
  const description = source.found && mayBeDescription(path) && isDescription(input, (line) => isRow(line, textField))
  if (description) return { action: 'foreign', format: descriptionOf(textField) }
  const why = format.kind === 'parquet' ? await beyondLimits(source, limits) : null
  if (why !== null) return { source, known, action: 'pass', outcome: 'too-large', why }
  const rows: Rows =
    format.kind === 'parquet'
      ? { kind: 'parquet', file: source }
      : { kind: 'lines', compression: format.compression, open: () => openFile(source) }
  const fingerprint = (length = byteLength) => fingerprintOfFile(source, length)
  return { source, known, action: 'read', textField, anew: known === null || change !== null, rows, fingerprint }
}

async function planStandardInput(
  source: SourceFile,
  known: Source | null,
  { standardInput, textFields }: PlanOptions,
): Promise<Plan | ForeignPlan> {
  const textField = textFieldOf(source.name, textFields)
  const input = await openStream(standardInput)
  const { head } = input
  const fingerprint = (length = head.length) => fingerprintOfHead(head.subarray(0, length))
  let change: string | null = null
  if (known !== null) {
    const before = parseFingerprint(known.fingerprint)
    const same = (await fingerprint(before.byteLength)).hash === before.hash && head.length >= before.byteLength
    change = same ? fieldChange(known, textField) : 'it has another content now: its first bytes differ'
    if (change !== null && known.documents > 0) {
      await input.close()
      return otherContent(source, known, change)
    }
  }
  const format = await formatOf(input, '-')
  if (format.kind !== 'lines') await input.close()
  if (format.kind === 'parquet') throw parquetFromStandardInput()
  if (format.kind === 'foreign') return { action: 'foreign', format }
  // Its end is unknown: known rows are skipped, and the same input adds nothing.
  const rows: Rows = { kind: 'lines', compression: format.compression, open: async () => input }
  return { source, known, action: 'read', textField, anew: known === null || change !== null, rows, fingerprint }
}

const fieldChange = (known: Source, textField: string): string | null =>
  known.textField === textField
    ? null
    : `its texts were taken from '${known.textField}' (--text-field ${known.textField}), not from '${textField}'`

const otherContent = (source: SourceFile, known: Source, why: string): ToPass => ({
  source,
  known,
  action: 'pass',
  outcome: 'other-content',
  why,
})

const isRow = (bytes: Buffer, textField: string) =>
  !('reason' in parseRow({ row: 0, bytes, byteLength: bytes.length, tooLong: false }, textField))

const descriptionOf = (textField: string): Foreign => ({
  kind: 'foreign',
  what: `one JSON object without '${textField}', not rows`,
  advice: { sentence: 'if its text has another name, give it with --text-field' },
  jsonDocument: true,
})
