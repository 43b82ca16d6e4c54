import type { DocumentId } from '../../schemas/index.ts'
import type { Sql } from '../runtime/clickhouse/sql.ts'
import { sealedBegin } from '../texts/envelope.ts'
import type { WrappedKey } from '../texts/master-keys.ts'
import type { TextKeys } from '../texts/texts.ts'
import { amongIds, idOfRow, rowsOfIds, rowsOfLists } from './ids.ts'

/** The lists of requests for erasure (services/runs/exclusions/erase.ts), as a condition in SQL. */
export const erasures = "list LIKE 'erasure/%'"

const keptOfErased = `FROM text_keys WHERE doc IN (SELECT doc FROM exclusions WHERE ${erasures} GROUP BY doc, list HAVING argMax(excluded, at) = 1)`

interface Row {
  readonly doc: string
  readonly name: string
  readonly epoch: number
  readonly wrapped: string
}

const keyOfRow = ({ doc, name, epoch, wrapped }: Row): WrappedKey => ({ docId: idOfRow(doc), name, epoch, wrapped })

/** Keys in ClickHouse, the one store of winnow's that can really delete: a topic keeps what is in it until its segments go. */
export class ClickHouseTextKeys implements TextKeys {
  readonly #sql: Sql

  constructor(sql: Sql) {
    this.#sql = sql
  }

  async add(keys: readonly WrappedKey[]): Promise<void> {
    const rows = keys.map(({ docId, name, epoch, wrapped }) => ({ doc: docId, name, epoch, wrapped }))
    await this.#sql.insert('text_keys', rows)
    // On all replicas: with the disk of one alone a text would be lost.
    await this.#sql.settle(['text_keys'])
  }

  async of(ids: readonly DocumentId[]): Promise<WrappedKey[]> {
    const keys: WrappedKey[] = []
    const statement = `SELECT doc, name, epoch, wrapped FROM text_keys WHERE ${amongIds}`
    for await (const row of rowsOfIds<Row>(this.#sql, statement, ids)) keys.push(keyOfRow(row))
    return keys
  }

  async askedToErase(ids: readonly DocumentId[]): Promise<ReadonlySet<DocumentId>> {
    return new Set(await this.#among(ids, (list) => `exclusions WHERE ${erasures} AND doc IN (${list})`))
  }

  async newest(): Promise<WrappedKey | undefined> {
    await this.#sql.settle(['text_keys'])
    const [row] = await this.#sql.query<Row>(
      'SELECT doc, name, epoch, wrapped FROM text_keys ORDER BY epoch DESC LIMIT 1',
    )
    return row && keyOfRow(row)
  }

  /** How many keys each epoch has wrapped, ascending. */
  async epochs(): Promise<{ epoch: number; keys: number }[]> {
    const rows = await this.#sql.query<{ epoch: number; keys: string }>(
      // What is kept twice, as a rotation does with some, counts once.
      'SELECT epoch, count() AS keys FROM text_keys FINAL GROUP BY epoch ORDER BY epoch',
    )
    return rows.map(({ epoch, keys }) => ({ epoch, keys: Number(keys) }))
  }

  /** Keys of epochs before this one, each once, behind `after`, in the order of ids and names; none: there are no more. */
  async wrappedBefore(
    epoch: number,
    after: Pick<WrappedKey, 'docId' | 'name'> | undefined,
    limit: number,
  ): Promise<WrappedKey[]> {
    const behind =
      after === undefined ? '' : 'AND (doc > {doc:UInt64} OR (doc = {doc:UInt64} AND name > {name:String}))'
    const rows = await this.#sql.query<Row>(
      `SELECT doc, name, epoch, wrapped FROM text_keys WHERE epoch < {epoch:UInt32} ${behind}
       ORDER BY doc, name LIMIT 1 BY doc, name LIMIT {limit:UInt32}`,
      { epoch, limit, ...(after && { doc: after.docId, name: after.name }) },
    )
    return rows.map(keyOfRow)
  }

  /** How many keys epochs before this one have wrapped, and it has not. */
  async notWrappedBy(epoch: number): Promise<number> {
    const [row] = await this.#sql.query<{ keys: string }>(
      'SELECT count() AS keys FROM (SELECT doc, name FROM text_keys GROUP BY doc, name HAVING max(epoch) < {epoch:UInt32})',
      { epoch },
    )
    return Number(row!.keys)
  }

  /** Deletes what epochs before this one have wrapped, as `destroy` does. */
  async dropBefore(epoch: number): Promise<void> {
    await this.#sql.command(`ALTER TABLE text_keys DELETE WHERE epoch < ${Number(epoch)} SETTINGS mutations_sync = 2`)
  }

  /** Documents that a request for erasure has out, and that have a key all the same: the erasure was cut off. */
  async keptThoughErased(): Promise<DocumentId[]> {
    await this.#sql.settle(['exclusions', 'text_keys'])
    const rows = await this.#sql.query<{ doc: string }>(`SELECT DISTINCT doc ${keptOfErased} ORDER BY doc`)
    return rows.map(({ doc }) => idOfRow(doc))
  }

  /** How many these are, as the replica that is asked has it: one that is behind may count some whose keys are being destroyed. */
  async countKeptThoughErased(): Promise<number> {
    // Where nothing is encrypted exclusions, which decontamination may have millions of, are not read.
    const [any] = await this.#sql.query<{ keys: string }>('SELECT count() AS keys FROM text_keys')
    if (Number(any!.keys) === 0) return 0
    const [row] = await this.#sql.query<{ left: string }>(`SELECT uniqExact(doc) AS left ${keptOfErased}`)
    return Number(row!.left)
  }

  /** The names of the requests for erasure that have ever named one of these documents, ascending. */
  async requestsOf(ids: readonly DocumentId[]): Promise<string[]> {
    const requests = new Set<string>()
    const statement = (list: string) => `SELECT DISTINCT list FROM exclusions WHERE ${erasures} AND doc IN (${list})`
    for await (const row of rowsOfLists<{ list: string }>(this.#sql, ids, statement))
      requests.add(row.list.slice(row.list.indexOf('/') + 1))
    return [...requests].sort()
  }

  /** Those of these documents whose text is encrypted, as the label sink has it. */
  sealed(ids: readonly DocumentId[]): Promise<DocumentId[]> {
    const rows = (list: string) => `documents WHERE doc IN (${list}) AND startsWith(text, {begin:String})`
    return this.#among(ids, rows, { begin: sealedBegin })
  }

  /** Those of these documents that have a key. */
  kept(ids: readonly DocumentId[]): Promise<DocumentId[]> {
    return this.#among(ids, (list) => `text_keys WHERE doc IN (${list})`)
  }

  /** Those of these documents whose text is encrypted, and can be read by nobody any more. */
  async destroyed(ids: readonly DocumentId[]): Promise<DocumentId[]> {
    const encrypted = await this.sealed(ids)
    const kept = new Set(await this.kept(encrypted))
    return encrypted.filter((docId) => !kept.has(docId))
  }

  /** The documents of some rows, ascending within each list. @param rows table and condition, by a list of ids in SQL */
  async #among(
    ids: readonly DocumentId[],
    rows: (list: string) => string,
    parameters: Record<string, string> = {},
  ): Promise<DocumentId[]> {
    const found: DocumentId[] = []
    const statement = (list: string) => `SELECT DISTINCT doc FROM ${rows(list)} ORDER BY doc`
    for await (const { doc } of rowsOfLists<{ doc: string }>(this.#sql, ids, statement, parameters))
      found.push(idOfRow(doc))
    return found
  }

  /** Resolves once no replica has a key of these documents. The same again changes nothing. */
  async destroy(ids: readonly DocumentId[]): Promise<void> {
    await this.#sql.settle(['text_keys'])
    const kept = await this.kept(ids)
    for (let first = 0; first < kept.length; first += idsPerDeletion) {
      const list = kept.slice(first, first + idsPerDeletion).join(', ')
      // A mutation writes parts anew without the rows, where DELETE FROM would only hide them.
      await this.#sql.command(`ALTER TABLE text_keys DELETE WHERE doc IN (${list}) SETTINGS mutations_sync = 2`)
    }
  }
}

/** Each deletion writes the parts of its rows anew, so few are better than many. */
const idsPerDeletion = 10_000
