import { isUtf8 } from 'node:buffer'
import { realpath } from 'node:fs/promises'
import { parseJson } from '../../../schemas/index.ts'
import type { RunConfig } from '../../../topologies/run-config.ts'
import { documentsOfTexts } from '../../corpus/search.ts'
import { linesOfFile } from '../../ingest/lines-of-file.ts'
import type { Model } from '../../model/model.ts'
import { readReference } from '../../model/reference.ts'
import type { Sql } from '../../runtime/clickhouse/sql.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { type Problem, problemOf } from './problem.ts'

interface Reference {
  /** The key of run.yaml. */
  readonly key: string
  readonly path: string
}

const referencesOf = ({ reference }: RunConfig): Reference[] => [
  { key: 'reward', path: reference.reward },
  ...(reference.moreRewards ?? []).map((path, i) => ({ key: `moreRewards.${i}`, path })),
  { key: 'evaluation', path: reference.evaluation },
  { key: 'corpus', path: reference.corpus },
]

/**
 * Each file exists and has samples; no file is used twice; evaluation samples are not reward samples; and no sample is a document of the
 * corpus, on which the model would be trained. @param model omitted if it cannot be used: then samples are not tokenized
 */
export async function checkReferences(run: RunConfig, sql: Sql, model: Model | undefined): Promise<Problem[]> {
  const references = referencesOf(run)
  const problems = await twice(references)
  const texts = new Map<Reference, Set<string>>()
  for (const reference of references) {
    const found = await problemOf(async () => {
      if (model !== undefined) await readReference(reference.path, model, run.trainer.context, run.reference.samplesMax)
      texts.set(reference, await textsOf(reference.path, run.reference.samplesMax))
    }, 'Give a file of JSON lines with text, or with context and continuation.')
    problems.push(...found.map(({ what, mend }) => ({ what: `reference.${reference.key}: ${what}`, mend })))
  }
  return [...problems, ...leaks(texts), ...(await inCorpus(texts, sql))]
}

async function twice(references: readonly Reference[]): Promise<Problem[]> {
  const seen = new Map<string, string>()
  const problems: Problem[] = []
  for (const { key, path } of references) {
    const file = await realpath(path).catch(() => path)
    const other = seen.get(file)
    seen.set(file, other ?? key)
    if (other !== undefined)
      problems.push({
        what: `reference.${other} and reference.${key} are the same file, ${path}`,
        mend: 'Split its samples: what rewards are measured on must not be what is evaluated on.',
      })
  }
  return problems
}

/** The samples in use, as text. */
async function textsOf(path: string, samplesMax: number): Promise<Set<string>> {
  const texts = new Set<string>()
  let rows = 0
  for await (const { bytes } of linesOfFile(path)) {
    const text = textOf(bytes)
    if (text !== undefined) texts.add(text)
    if (++rows === samplesMax) break
  }
  if (texts.size === 0) throw new WinnowError('CONFIGURATION', `the reference ${path} has no samples`)
  return texts
}

/** Undefined if a row is not a sample, which tokenization reports with its line. */
function textOf(bytes: Buffer): string | undefined {
  const row = isUtf8(bytes) ? jsonOf(bytes.toString('utf8')) : undefined
  if (typeof row !== 'object' || row === null) return undefined
  const { text, context, continuation } = row as Record<string, unknown>
  if (typeof text === 'string') return text
  return typeof context === 'string' && typeof continuation === 'string' ? context + continuation : undefined
}

function jsonOf(text: string): unknown {
  try {
    return parseJson(text)
  } catch {
    return undefined
  }
}

function leaks(texts: ReadonlyMap<Reference, ReadonlySet<string>>): Problem[] {
  const rewards = [...texts].filter(([{ key }]) => key === 'reward' || key.startsWith('moreRewards'))
  const evaluation = [...texts].find(([{ key }]) => key === 'evaluation')
  if (evaluation === undefined) return []
  return rewards.flatMap(([{ key, path }, samples]) => {
    const shared = [...evaluation[1]].filter((text) => samples.has(text)).length
    if (shared === 0 || path === evaluation[0].path) return []
    return {
      what: `${shared} of the ${evaluation[1].size} samples of reference.evaluation are samples of reference.${key} too`,
      mend: `Take them out of one of the files: ${path}, ${evaluation[0].path}.`,
    }
  })
}

async function inCorpus(texts: ReadonlyMap<Reference, ReadonlySet<string>>, sql: Sql): Promise<Problem[]> {
  const problems: Problem[] = []
  for (const [{ key, path }, samples] of texts) {
    const found = await documentsOfTexts(sql, [...samples])
    if (found.length === 0) continue
    const shown = found.slice(0, 3).join(', ')
    problems.push({
      what: `${found.length} of the ${samples.size} samples of reference.${key} are documents of the corpus (${shown}${found.length > 3 ? ', …' : ''}), which the model may be trained on`,
      mend: `Take them out of ${path}.`,
    })
  }
  return problems
}
