import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { labelPairs, labelVersions } from '../../corpus/label-versions.ts'
import type { Sql } from '../../runtime/clickhouse/sql.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { spearman } from '../../runtime/statistics.ts'
import { confusionMatrix } from '../training/metrics.ts'

/** How far two labelings of the same documents agree. */
export interface Comparison {
  /** Documents that both have labelled; all figures except the next two refer to these. */
  documents: number
  /** Documents that only one of them has labelled. */
  onlyFirst: number
  onlySecond: number
  /** Share of documents with the same subcategory. */
  agreement: number
  /** Cohen's kappa: agreement beyond what chance gives with the same shares of subcategories; 1 is perfect, 0 is chance. */
  kappa: number
  /** Spearman's rank correlation of the scores, and their mean absolute difference. */
  scores: { spearman: number; meanAbsoluteDifference: number }
  /** [subcategory of the first][subcategory of the second] */
  confusion: number[][]
}

/** Cohen 1960, equation 1. If both give everything the same subcategory, there is no chance to correct for: 1. */
function kappaOf(confusion: number[][], documents: number): number {
  const agreed = confusion.reduce((sum, row, k) => sum + row[k]!, 0) / documents
  const byChance = confusion.reduce((sum, row, k) => {
    const first = row.reduce((total, count) => total + count, 0)
    const second = confusion.reduce((total, other) => total + other[k]!, 0)
    return sum + (first / documents) * (second / documents)
  }, 0)
  return byChance === 1 ? 1 : (agreed - byChance) / (1 - byChance)
}

function agreementOf(confusion: number[][]): Pick<Comparison, 'documents' | 'agreement' | 'kappa' | 'confusion'> {
  const documents = confusion.reduce((sum, row) => sum + row.reduce((total, count) => total + count, 0), 0)
  const same = confusion.reduce((sum, row, k) => sum + row[k]!, 0)
  return { documents, agreement: same / documents, kappa: kappaOf(confusion, documents), confusion }
}

function nothingInCommon(first: string, second: string): WinnowError {
  return new WinnowError('BAD_DATA', `${first} and ${second} have no labelled document in common`, {
    hint: 'Compare labels of the same documents; labels of a new version appear as its labeler reads the corpus.',
  })
}

const labelRow = z.looseObject({ line: z.int().min(0), index: z.int().min(0).max(65_535), score: z.number() })

function readLabels(file: string): Map<number, { index: number; score: number }> {
  const labels = new Map<number, { index: number; score: number }>()
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw new WinnowError('BAD_DATA', `${file}: cannot be read: ${(cause as Error).message}`, { cause })
  }
  for (const [i, row] of text.split('\n').entries()) {
    if (row === '') continue
    const parsed = labelRow.safeParse(parseJson(row))
    if (!parsed.success)
      throw new WinnowError('BAD_DATA', `${file}:${i + 1}: not a label`, {
        hint: 'Give the output of winnow labeler label: JSON lines with line, index and score.',
      })
    labels.set(parsed.data.line, parsed.data)
  }
  return labels
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Compares two files of `winnow labeler label` on the same documents, by line. @throws WinnowError BAD_DATA */
export function compareFiles(firstFile: string, secondFile: string): Comparison {
  const [first, second] = [readLabels(firstFile), readLabels(secondFile)]
  const lines = [...first.keys()].filter((line) => second.has(line))
  if (lines.length === 0) throw nothingInCommon(firstFile, secondFile)
  const [ofFirst, ofSecond] = [lines.map((line) => first.get(line)!), lines.map((line) => second.get(line)!)]
  const [indices, others] = [ofFirst.map(({ index }) => index), ofSecond.map(({ index }) => index)]
  const [scores, otherScores] = [ofFirst.map(({ score }) => score), ofSecond.map(({ score }) => score)]
  const size = 1 + [...indices, ...others].reduce((most, index) => Math.max(most, index), 0)
  const difference = scores.reduce((sum, score, i) => sum + Math.abs(score - otherScores[i]!), 0) / lines.length
  return {
    ...agreementOf(confusionMatrix(indices, others, size)),
    onlyFirst: first.size - lines.length,
    onlySecond: second.size - lines.length,
    scores: { spearman: spearman(scores, otherScores), meanAbsoluteDifference: difference },
  }
}

/**
 * Compares two versions of an actor's labels in ClickHouse. @throws WinnowError CONFIGURATION for a version that the corpus does not have,
 * BAD_DATA
 */
export async function compareVersions(sql: Sql, actor: string, first: string, second: string): Promise<Comparison> {
  const known = await labelVersions(sql, actor)
  for (const version of [first, second]) {
    if (known.some((one) => one.version === version)) continue
    throw new WinnowError('CONFIGURATION', `the corpus has no labels of actor ${actor}, version ${version}`, {
      hint: `Versions: ${known.map((one) => one.version).join(', ') || 'none'}.`,
    })
  }
  const { cells, ...figures } = await labelPairs(sql, actor, first, second)
  if (cells.length === 0) throw nothingInCommon(`version ${first}`, `version ${second}`)
  const size = 1 + cells.reduce((most, cell) => Math.max(most, cell.first, cell.second), 0)
  const confusion = Array.from({ length: size }, () => new Array<number>(size).fill(0))
  for (const cell of cells) confusion[cell.first]![cell.second] = cell.documents
  return { ...agreementOf(confusion), ...figures }
}
