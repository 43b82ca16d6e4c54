import type { Source } from '../../schemas/index.ts'
import { Batch } from './batch.ts'
import type { DamagedFile } from './compression/damaged-file.ts'
import { formatFingerprint } from './fingerprint.ts'
import type { IngestLimits } from './limits.ts'
import type { Line } from './lines.ts'
import type { ToRead } from './plan.ts'
import type { IngestProgress } from './progress.ts'
import { Refusals } from './refusals.ts'
import type { SourceResult } from './result.ts'
import { parseRow } from './row.ts'
import type { RowReader } from './row-reader.ts'
import { placeOf } from './source-files.ts'
import type { Unverified } from './unverified.ts'
import type { SourceWriter } from './writer.ts'

export interface RecordingOptions {
  readonly writer: SourceWriter
  readonly limits: IngestLimits
  readonly progress: Pick<IngestProgress, 'wrote'>
}

/** A row that may not be what was written, because of damage to the file. */
export class DamagedRow extends Error {
  readonly line: Line
  readonly damage: DamagedFile

  constructor(line: Line, damage: DamagedFile) {
    super(damage.message)
    this.line = line
    this.damage = damage
  }
}

/** What is written of one source: its rows batch by batch, each with the state of the source, from the first unknown row on. */
export class Recording {
  /** Rows before it are in the topics. */
  readonly rowFirst: number
  readonly #plan: ToRead
  readonly #options: RecordingOptions
  readonly #unverified: Unverified | null
  readonly #before: Source
  readonly #refusals = new Refusals()
  #state: Source
  #batch: Batch
  #rowNext: number

  private constructor(
    plan: ToRead,
    number: number,
    fingerprint: string,
    options: RecordingOptions,
    unverified: Unverified | null,
  ) {
    const { textField } = plan
    const counts = { rowNext: 0, documents: 0, rejected: 0 }
    this.#plan = plan
    this.#options = options
    this.#unverified = unverified
    this.#before =
      plan.known !== null && !plan.anew
        ? plan.known
        : { name: plan.source.name, source: number, fingerprint: '', ...counts, complete: false, textField }
    // A source that grew is not complete until its new end is reached.
    this.#state = { ...this.#before, fingerprint, complete: false }
    this.rowFirst = this.#before.rowNext
    this.#rowNext = this.rowFirst
    this.#batch = this.#newBatch()
  }

  /** @param unverified what no intact checksum of a compressed file covers; null: nothing, as far as is known */
  static async start(
    plan: ToRead,
    number: number,
    options: RecordingOptions,
    unverified: Unverified | null,
  ): Promise<Recording> {
    return new Recording(plan, number, formatFingerprint(await plan.fingerprint()), options, unverified)
  }

  get documents(): number {
    return this.#state.documents
  }

  get rejected(): number {
    return this.#state.rejected
  }

  /** Throws DamagedRow at the first row that may not be what was written. */
  async add(line: Line): Promise<void> {
    if (line.row < this.rowFirst) return
    if (this.#unverified !== null && line.row >= this.#unverified.row)
      throw new DamagedRow(line, this.#unverified.damage)
    this.#batch.add(line)
    this.#rowNext = line.row + 1
    if (this.#batch.full) await this.#flush({ rowNext: this.#rowNext })
  }

  /** The end of the source was reached, after `rows` rows. */
  async complete(rows: number): Promise<SourceResult> {
    const nothingNew = this.#before.complete && rows <= this.rowFirst
    if (nothingNew && this.#plan.source.kind === 'standardInput') return this.result('already')
    await this.#flush({ rowNext: Math.max(rows, this.rowFirst), complete: true })
    const refused = this.#state.documents === 0 && this.#state.rejected > 0
    return this.result(refused ? 'refused' : 'ingested')
  }

  /** Every row so far was rejected: the rest is not read. */
  async giveUp(): Promise<SourceResult> {
    return { ...this.result('refused'), why: `given up after ${this.#state.rowNext} rows` }
  }

  async stop(): Promise<SourceResult> {
    if (this.#rowNext > this.#state.rowNext) await this.#flush({ rowNext: this.#rowNext })
    return this.result('stopped')
  }

  /**
   * The source breaks off: what stands of its last row is a row where it is whole, and goes to dead letters where it is not.
   * @param at the first row that may not be what was written; omitted: the one that was not read to its end
   */
  async breakOff(reader: RowReader, error: DamagedFile, at?: Line): Promise<SourceResult> {
    const { unit } = reader
    const rows = at?.row ?? reader.rows
    const rest = at?.bytes ?? reader.rest()
    const last = { row: rows, bytes: rest, byteLength: rest.length, tooLong: false }
    const whole = !error.late && rows >= this.rowFirst && !('reason' in parseRow(last, this.#plan.textField))
    if (whole) await this.add(last)
    const row = Math.max(whole ? rows + 1 : rows, this.rowFirst)
    const outcome = error.reason === 'too-large' ? 'too-large' : 'damaged'
    const known = this.#before.fingerprint.endsWith(':damaged') && row === this.rowFirst
    // As it broke off before, and nothing was written since: that is in the topics.
    if (known && this.#state.rowNext === row) return { ...this.result(outcome), why: error.message }
    const message = `${error.message}, in ${unit} ${row + 1}; ${row} ${unit}s before it are good`
    const bytes = whole ? Buffer.alloc(0) : rest
    this.#batch.reject(row, { reason: error.reason, message }, bytes)
    // Of the good bytes only: once repaired, the file is still the same source.
    const fingerprint = await this.#plan.fingerprint(error.bytesGood)
    await this.#flush({ rowNext: row, fingerprint: formatFingerprint({ ...fingerprint, damaged: true }) })
    return { ...this.result(outcome), why: error.message }
  }

  result(outcome: SourceResult['outcome']): SourceResult {
    const { name, source, rowNext, documents, rejected } = this.#state
    const { reasons, fields } = this.#refusals
    return {
      name,
      source: outcome === 'stopped' && this.#plan.known === null && rowNext === 0 ? null : source,
      outcome,
      documents: documents - this.#before.documents,
      rejected: rejected - this.#before.rejected,
      documentsTotal: documents,
      reasons,
      fields,
      why: null,
    }
  }

  #newBatch(): Batch {
    const { limits } = this.#options
    const { textField } = this.#plan
    const file = placeOf(this.#plan.source)
    return new Batch({ source: this.#before.source, file, limits, textField, refusals: this.#refusals })
  }

  async #flush(change: Partial<Source>) {
    const full = this.#batch
    this.#batch = this.#newBatch()
    const { documents, rejected } = this.#state
    this.#state = await this.#options.writer.write(full, { ...this.#state, ...change })
    this.#options.progress.wrote(this.#state.documents - documents, this.#state.rejected - rejected)
  }
}
