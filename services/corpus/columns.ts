import type { LabelColumn } from '../../topologies/corpus-store.ts'
import { WinnowError } from '../runtime/errors.ts'

/** The columns of `corpus` for one version of one actor's labels. */
export interface ColumnNames {
  readonly label: string
  readonly score: string
  readonly at: string
}

/** Column names cannot be parameters of a statement, so only these characters are allowed. */
const plain = /^[A-Za-z0-9_]+$/

export function columnNames({ actor, version }: Pick<LabelColumn, 'actor' | 'version'>): ColumnNames {
  const suffix = `${actor.replaceAll('-', '_')}_${version}`
  if (!plain.test(suffix)) {
    throw new WinnowError('CONFIGURATION', `actor ${actor} with labeler version ${version} cannot name a column`, {
      hint: 'Names of actors and versions may have letters, digits, - and _ only.',
    })
  }
  return { label: `label_${suffix}`, score: `score_${suffix}`, at: `at_${suffix}` }
}

/**
 * Of several labels of a version that rows of a document have, the first in the log counts: its value, in a statement that groups by document.
 * @param value a label or score column, `at` its offsets
 */
export const firstInLog = (value: string, at: string): string => `argMin(${value}, ${at})`
