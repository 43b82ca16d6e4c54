import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { WinnowError } from '../../runtime/errors.ts'
import { damagedSentence, type IngestContext, type IngestFlags, parseTokenCounting, sentenceOf } from '../command.ts'
import { ingest } from '../ingest.ts'
import { metered } from '../metered.ts'
import { createProgress, noProgress } from '../progress.ts'
import { watchAndIngest } from './watch.ts'

export interface WatchFlags extends IngestFlags {
  readonly settle?: number
  readonly poll?: boolean
}

export const settleSecondsDefault = 5

/** `winnow ingest --watch FOLDER`: a line on stdout for each file that was ingested, what is wrong with others on stderr; until the signal. */
export async function watchCommand(
  folder: string,
  flags: WatchFlags,
  context: Omit<IngestContext, 'stdin'>,
): Promise<void> {
  const { clock, signal, stdout, stderr } = context
  const tokens = parseTokenCounting(flags.tokens)
  const meter = metered(noProgress, context.metrics)
  const settleSeconds = flags.settle ?? settleSecondsDefault
  stderr.write(`watching ${folder}; a file is taken when it has not changed for ${settleSeconds} s; Ctrl-C ends\n`)
  try {
    await watchAndIngest({
      folder,
      settleMs: settleSeconds * 1000,
      poll: flags.poll === true,
      clock,
      signal,
      ingest: async (names) => {
        const shown = createProgress(stderr, clock)
        return await ingest({
          ...context,
          paths: names,
          tokens,
          nameOptions: { folder, ...(flags.name !== undefined && { prefix: flags.name }) },
          progress: {
            ...shown,
            wrote: (documents, rejected) => {
              meter.wrote(documents, rejected)
              shown.wrote(documents, rejected)
            },
          },
        })
      },
      told: (source) => {
        stdout.write(`${flags.json ? JSON.stringify(source) : sentenceOf(source)}\n`)
        if (source.outcome === 'damaged') stderr.write(damagedSentence(source))
      },
      refused: (name, error) => {
        const hint = error instanceof WinnowError && error.hint !== undefined ? `; ${error.hint}` : ''
        stderr.write(`${name} is left out until it changes: ${error.message}${hint}\n`)
      },
    })
  } finally {
    meter.end()
  }
}

/** @throws WinnowError USAGE, CONFIGURATION for anything but one folder that can be read */
export async function onlyFolder(paths: readonly string[]): Promise<string> {
  const [path, ...more] = paths
  if (path === undefined || more.length > 0 || path === '-') {
    throw new WinnowError('USAGE', '--watch needs one folder', { hint: 'winnow ingest --watch incoming' })
  }
  const found = await stat(path).catch((cause: Error) => {
    throw new WinnowError('CONFIGURATION', `cannot read ${path}: ${cause.message}`, {
      hint: 'check the path and its permissions',
      cause,
    })
  })
  if (found.isDirectory()) return resolve(path)
  throw new WinnowError('CONFIGURATION', `${path} is no folder`, { hint: 'ingest a file without --watch' })
}
