import type { Session } from 'chdb'
import { WinnowError } from '../errors.ts'
import { accessArguments } from './access.ts'

/** One SQL statement for the embedded engine. */
export interface Statement {
  sql: string
  /** Output format when the statement names none, for example `JSONEachRow`; ClickHouse's own default otherwise. */
  format?: string
  /** Settings of this statement alone: reset before the next one. */
  settings?: ReadonlyMap<string, string>
  /** Values of `{name:Type}` placeholders in the text form of ClickHouse's HTTP interface. */
  parameters?: ReadonlyMap<string, string>
  /** Database that unqualified names refer to; `default` otherwise. */
  database?: string
  /** Whether the engine must refuse statements that change anything. */
  readonly?: boolean
}

/** The state the engine left a session in: chDB keeps settings and the database between statements. */
interface Slot {
  session: Session
  settings: Map<string, string>
  database: string
}

// chDB runs each statement on one of libuv's four threads, which Node also needs for files and name resolution: three statements at a time
// leave it one. Measured: a 5 ms query next to a 180 ms one takes 5 ms on another session, 127 ms on the same.
const sessionsMax = 3

const baseSettings: ReadonlyMap<string, string> = new Map([
  // Whatever a caller forgets to set: 64-bit integers keep their digits in JSON.
  ['output_format_json_quote_64bit_integers', '1'],
  // Parameters are sent as SET statements here, and a list of a million ids exceeds the default of 256 KiB.
  ['max_query_size', String(512 * 1024 * 1024)],
])

/** Settings under which statements together stay within this much memory. */
function limits(memoryBytes: number): ReadonlyMap<string, string> {
  const each = Math.floor(memoryBytes / sessionsMax)
  return new Map([
    ['max_memory_usage', `${each}`],
    // Half of a statement's share: what is merged from disk needs as much again.
    ['max_bytes_before_external_group_by', `${Math.floor(each / 2)}`],
    ['max_bytes_before_external_sort', `${Math.floor(each / 2)}`],
    ['max_threads', '2'],
  ])
}

const quote = (text: string): string => `'${text.replace(/\\/g, '\\\\').replace(/'/g, "\\'")}'`
const identifier = (name: string): string => `\`${name.replace(/\\/g, '\\\\').replace(/`/g, '\\`')}\``

/**
 * An embedded ClickHouse on one folder, owned by this process. Statements run off the main thread, at most three at a time, each alone on its
 * session; the rest queue.
 */
export class ChdbEngine {
  readonly path: string
  readonly #idle: { readonly changing: Slot[]; readonly reading: Slot[] }
  #free = sessionsMax
  #waiting: (() => void)[] = []
  #running = 0
  #drained: (() => void) | undefined
  #closed = false
  #drainPending: () => Promise<void>

  readonly #settings: ReadonlyMap<string, string>

  private constructor(
    path: string,
    open: (more: string[]) => Session,
    drainPending: () => Promise<void>,
    settings: ReadonlyMap<string, string>,
  ) {
    this.path = path
    this.#settings = settings
    const slots = (more: string[]) =>
      Array.from(
        { length: sessionsMax },
        (): Slot => ({ session: open(more), settings: new Map(), database: 'default' }),
      )
    // 2: reads that set settings of their own, but cannot reset this one.
    this.#idle = { changing: slots([]), reading: slots(['--readonly=2']) }
    this.#drainPending = drainPending
  }

  /**
   * Opens or creates the folder; DATA_FOLDER_LOCKED if another process owns it. chdb is loaded only here.
   * @param memoryBytes of all statements together, about: what needs more sorts and groups on disk; left out: as much as there is
   */
  static async open(path: string, memoryBytes?: number): Promise<ChdbEngine> {
    const chdb = await import('chdb').catch((cause: unknown) => {
      throw new WinnowError('CONFIGURATION', 'the embedded ClickHouse (npm package chdb) cannot be loaded', {
        hint: 'It needs Linux with glibc or macOS; elsewhere set WINNOW_CLICKHOUSE_URL to a ClickHouse server.',
        cause,
      })
    })
    const access = accessArguments(path)
    try {
      const open = (more: string[]) => new chdb.Session(path, { connectionArgs: [...access, ...more] })
      const engine = new ChdbEngine(
        path,
        open,
        chdb.drainPending,
        memoryBytes === undefined ? new Map() : limits(memoryBytes),
      )
      for (const slot of Object.values(engine.#idle).flat()) await prepare(slot, { sql: '' })
      return engine
    } catch (cause) {
      throw new WinnowError('DATA_FOLDER_LOCKED', `ClickHouse's folder ${path} cannot be opened: ${String(cause)}`, {
        hint: 'Another process may own it: stop that one or use another data folder.',
        cause,
      })
    }
  }

  /** Runs one statement and returns its output as bytes. Errors are chDB's, with ClickHouse's code in the message. */
  async run(statement: Statement): Promise<Uint8Array> {
    await this.#acquire()
    const idle = statement.readonly === true ? this.#idle.reading : this.#idle.changing
    const slot = idle.pop() as Slot
    try {
      await prepare(slot, { ...statement, settings: new Map([...this.#settings, ...(statement.settings ?? [])]) })
      const result = await slot.session.queryAsync(statement.sql, { format: statement.format ?? 'TabSeparated' })
      return result.bytes()
    } finally {
      idle.push(slot)
      this.#release()
    }
  }

  /** Accepts no more statements, waits for the running ones, releases the folder. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    if (this.#running > 0) await new Promise<void>((resolve) => (this.#drained = resolve))
    for (const slot of Object.values(this.#idle).flat()) slot.session.close()
    await this.#drainPending()
  }

  /** Every statement let in finds an idle session of its kind. */
  async #acquire(): Promise<void> {
    if (this.#closed) throw new WinnowError('UNREACHABLE', `the embedded ClickHouse on ${this.path} is closed`)
    this.#running++
    if (this.#free > 0) this.#free--
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  #release(): void {
    this.#running--
    const next = this.#waiting.shift()
    if (next) next()
    else this.#free++
    if (this.#running === 0) this.#drained?.()
  }
}

/**
 * Brings a session into the state that the statement asks for. Settings left by an earlier statement are reset to their defaults (a leaked
 * insert_deduplication_token silently drops later inserts).
 */
async function prepare(slot: Slot, statement: Statement): Promise<void> {
  const wanted = new Map([...baseSettings, ...(statement.settings ?? [])])
  const stale = [...slot.settings.keys()].filter((name) => !wanted.has(name))
  const changed = [...wanted].filter(([name, value]) => slot.settings.get(name) !== value)
  const text = [
    ...stale.map((name) => `SET ${settingName(name)} = DEFAULT`),
    ...changed.map(([name, value]) => `SET ${settingName(name)} = ${quote(value)}`),
    ...[...(statement.parameters ?? [])].map(([name, value]) => `SET param_${settingName(name)} = ${quote(value)}`),
  ].join('; ')
  if (text !== '') {
    try {
      await slot.session.queryAsync(text)
    } catch (error) {
      await reset(slot, [...stale, ...changed.map(([name]) => name)])
      throw error
    }
    for (const name of stale) slot.settings.delete(name)
    for (const [name, value] of changed) slot.settings.set(name, value)
  }
  const database = statement.database ?? 'default'
  if (database !== slot.database) {
    await slot.session.queryAsync(`USE ${identifier(database)}`)
    slot.database = database
  }
}

/** After a setting was refused: others may have been applied, so each is reset on its own. */
async function reset(slot: Slot, names: readonly string[]): Promise<void> {
  for (const name of names) {
    slot.settings.delete(name)
    if (/^\w+$/.test(name)) await slot.session.queryAsync(`SET ${name} = DEFAULT`).catch(() => undefined)
  }
}

function settingName(name: string): string {
  if (!/^\w+$/.test(name))
    throw new Error(`Code: 115. DB::Exception: Invalid setting or parameter name ${name}. (UNKNOWN_SETTING)`)
  return name
}
