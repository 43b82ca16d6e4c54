import type { Sql } from '../runtime/clickhouse/sql.ts'
import { Exposures, type Readings, type ReadOfRound } from './exposures.ts'

/** What rows of sources may say of a document besides its text. */
export const metaKinds = ['licence', 'language', 'url', 'date'] as const
export type MetaKind = (typeof metaKinds)[number]

/** Where rows have it: paths of keys into the row; the first that is there and not empty counts. */
export type MetaPaths = Readonly<Record<MetaKind, readonly (readonly string[])[]>>

/** How public corpora call it, at the top of a row or under `meta` or `metadata`. */
const names: Record<MetaKind, readonly string[]> = {
  licence: ['license', 'licence', 'license_type'],
  language: ['language', 'lang', 'language_code'],
  url: ['url', 'source_url', 'uri'],
  date: ['date', 'timestamp', 'created', 'published', 'date_download'],
}

export const usualPaths: MetaPaths = Object.fromEntries(
  metaKinds.map((kind) => [
    kind,
    [[], ['meta'], ['metadata']].flatMap((under) => names[kind].map((name) => [...under, name])),
  ]),
) as unknown as MetaPaths

/** Readings whose rows say the same: '' if they do not say it. */
export interface ReadingsByMeta extends Readings {
  readonly kind: (typeof kinds)[number]
  readonly value: string
  /** The earliest and latest dates of these rows, as they have them; '': none has one. */
  readonly dateFirst: string
  readonly dateLast: string
}

/** In the order of the statement. */
const kinds = ['licence', 'language', 'web domain', 'year'] as const

/** Tokens of a document that were not trained on, or were although it does not count as read. */
export interface CorrectionOf {
  readonly doc: bigint
  readonly tokens: number
}

/** What was read by what its rows say of it: a look at the row of each document. */
export async function readingsByMeta(
  sql: Sql,
  run: string,
  reads: readonly ReadOfRound[],
  corrections: readonly CorrectionOf[],
  paths: MetaPaths,
): Promise<ReadingsByMeta[]> {
  const parameters: Record<string, string> = { run, year: '^[0-9]{4}', none: '' }
  const value = (kind: MetaKind) => {
    const found = paths[kind].map((path, i) => {
      const keys = path.map((key, k) => {
        parameters[`${kind}_${i}_${k}`] = key
        return `{${kind}_${i}_${k}:String}`
      })
      return `nullIf(JSONExtractString(meta, ${keys.join(', ')}), {none:String})`
    })
    return `coalesce(${[...found, '{none:String}'].join(', ')})`
  }
  const corrected = corrections.map(
    ({ doc, tokens }) =>
      ` UNION ALL SELECT toUInt64(${doc}) AS doc, toUInt64(0) AS times, toInt64(${tokens}) AS tokens`,
  )
  const read = `SELECT doc, sum(times) AS times, sum(tokens) AS tokens FROM (
    SELECT doc, times, toInt64(times * (tokens + 1)) AS tokens FROM (${new Exposures(sql, run).read(reads)})${corrected.join('')}) GROUP BY doc`
  const date = value('date')
  const rows = await sql.query<
    Record<'value' | 'documents' | 'tokens' | 'dateFirst' | 'dateLast', string> & { kind: number }
  >(
    `SELECT said.1 AS kind, said.2 AS value, sum(times) AS documents, sum(tokens) AS tokens,
            minIf(date, date != {none:String}) AS dateFirst, maxIf(date, date != {none:String}) AS dateLast
     FROM (SELECT times, tokens, date, arrayJoin([(0, licence), (1, language), (2, domainWithoutWWW(url)), (3, substring(date, 1, 4))]) AS said
       FROM (SELECT times, tokens, ${value('licence')} AS licence, ${value('language')} AS language, ${value('url')} AS url,
                    if(match(${date}, {year:String}), ${date}, {none:String}) AS date
             FROM (${read}) AS r
             JOIN (SELECT doc, any(meta) AS meta FROM documents WHERE doc IN (SELECT doc FROM exposures WHERE run = {run:String}) GROUP BY doc) AS d
             ON r.doc = d.doc))
     GROUP BY kind, value`,
    parameters,
  )
  return rows.map(({ documents, tokens, kind, ...row }) => ({
    ...row,
    kind: kinds[kind]!,
    ...{ documents: Number(documents), tokens: Number(tokens) },
  }))
}
