import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { allRecords } from '../../schemas/index.ts'
import type { Runtime } from '../connections/connections.ts'
import { ClickHouseStore } from '../corpus/clickhouse-store.ts'
import { ClickHouseTextKeys } from '../corpus/text-keys.ts'
import { createClickHouse, newPassword } from '../runtime/clickhouse/client.ts'
import { ensureDatabase } from '../runtime/clickhouse/database.ts'
import { ChdbEngine } from '../runtime/clickhouse/engine.ts'
import { startFront } from '../runtime/clickhouse/front.ts'
import { migrate } from '../runtime/clickhouse/migrate.ts'
import { createCodec } from '../runtime/codec.ts'
import type { Log } from '../runtime/log.ts'
import { makeFolder } from '../runtime/make-folder.ts'
import { Texts } from '../texts/texts.ts'
import { ArchiveLog } from './archive-log.ts'
import { archivedRegistry } from './archived-registry.ts'
import { loadCorpus, restoreReads } from './load-corpus.ts'
import { verifyArchive } from './manifest.ts'

export interface WorkspaceOptions {
  readonly log: Log
  /** Of the embedded database, about; the rest of the process holds a few megabytes for each file and what a round asked for. */
  readonly memoryBytes: number
  /** Has a folder for as long as archives are read; default: the system's for temporary files. */
  readonly scratch?: string
  readonly onProgress?: (doing: 'verifying' | 'loading', done: number, total: number) => void
}

/** An archive that is read: a runtime like that of a cluster. */
export interface OpenedArchive {
  readonly runtime: Runtime
  readonly run: string
}

/**
 * Where archives are read: a folder of this process with an embedded database, into which the label sink's own code writes what an archive has of the
 * corpus. Disposing it removes the folder.
 */
export class ArchiveWorkspace implements AsyncDisposable {
  readonly #options: WorkspaceOptions
  readonly #folder: string
  readonly #database: string
  readonly #opened: AsyncDisposableStack
  #archives = 0

  private constructor(options: WorkspaceOptions, folder: string, database: string, opened: AsyncDisposableStack) {
    this.#options = options
    this.#folder = folder
    this.#database = database
    this.#opened = opened
  }

  static async create(options: WorkspaceOptions): Promise<ArchiveWorkspace> {
    await using opening = new AsyncDisposableStack()
    const folder = await mkdtemp(join(options.scratch ?? tmpdir(), 'winnow-archive-'))
    opening.defer(() => rm(folder, { recursive: true, force: true }))
    const engine = opening.adopt(await ChdbEngine.open(join(folder, 'clickhouse'), options.memoryBytes), (one) =>
      one.close(),
    )
    const front = await startFront(engine, newPassword())
    opening.defer(() => front.close())
    return new ArchiveWorkspace(options, folder, front.address, opening.move())
  }

  /**
   * Compares an archive with its digests, and makes it readable.
   * @throws WinnowError as `verifyArchive`; SCHEMA_INCOMPATIBLE if its records cannot be read by this winnow
   */
  async open(archive: string): Promise<OpenedArchive> {
    const { log, onProgress } = this.#options
    const manifest = await verifyArchive(archive, undefined, (done, total) => onProgress?.('verifying', done, total))
    const name = `archive_${++this.#archives}`
    const scratch = join(this.#folder, name)
    makeFolder(scratch)
    const kafka = this.#opened.adopt(new ArchiveLog(archive, manifest, scratch), (one) => one.close())
    const codec = await createCodec({ registry: archivedRegistry(manifest.schemas), records: allRecords })
    const server = { url: this.#database, database: name }
    const clickHouse = this.#opened.adopt(await createClickHouse(server), (one) => one.close())
    await ensureDatabase(clickHouse.sql, server)
    await migrate(clickHouse.sql)
    const store = new ClickHouseStore(clickHouse.sql)
    const texts = new Texts(new ClickHouseTextKeys(clickHouse.sql))
    const runtime = { kafka, codec, clickHouse, store, texts, log, close: async () => {} }
    await loadCorpus(runtime, manifest, (done, total) => onProgress?.('loading', done, total))
    await restoreReads(runtime, manifest.run)
    return { runtime, run: manifest.run }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#opened.disposeAsync()
  }
}
