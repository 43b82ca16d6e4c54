import type { RunList } from '../host/run-list.ts'

/** A run of another version of winnow. */
export interface UnreadableRun {
  readonly run: string
  readonly why: string
  /** What to do about it. */
  readonly hint: string
}

export const unreadableIn = ({ unreadable }: Pick<RunList, 'unreadable'>): UnreadableRun[] =>
  [...unreadable].map(([run, { message, hint = '' }]) => ({ run, why: message, hint }))

/** For people, below a table of the runs that can be read. */
export const unreadableLines = (list: Pick<RunList, 'unreadable'>): string[] => unreadableIn(list).map(inWords)

export const inWords = ({ why, hint }: UnreadableRun): string => `${why}. ${hint}`
