import { resolve } from 'node:path'
import { WinnowError } from '../../runtime/errors.ts'
import {
  type IngestContext,
  type IngestFlags,
  limitsOf,
  nameOptionsOf,
  parseTokenCounting,
  textFieldsOf,
} from '../command.ts'
import { ingest } from '../ingest.ts'
import { leftOutOf, leftOutText } from '../left-out.ts'
import { metered } from '../metered.ts'
import { checkPaths, inspect } from '../paths.ts'
import { createProgress, noProgress } from '../progress.ts'
import { sentenceOf, warningOf } from '../sentences.ts'
import { watchAndIngest } from './watch.ts'

export interface WatchFlags extends IngestFlags {
  readonly settle?: number
  readonly poll?: boolean
}

export const settleSecondsDefault = 5

/** `winnow ingest --watch FOLDER`: a line on stdout for each ingested file, problems with others on stderr; until the signal. */
export async function watchCommand(
  folder: string,
  flags: WatchFlags,
  context: Omit<IngestContext, 'stdin'>,
): Promise<void> {
  const { clock, signal, stdout, stderr } = context
  const tokens = parseTokenCounting(flags.tokens)
  await checkPaths(flags.followLinks ?? [])
  const meter = metered(noProgress, context.metrics)
  const settleSeconds = flags.settle ?? settleSecondsDefault
  stderr.write(`watching ${folder}; a file is ingested once it has not changed for ${settleSeconds} s; Ctrl-C ends\n`)
  try {
    await watchAndIngest({
      folder,
      settleMs: settleSeconds * 1000,
      poll: flags.poll === true,
      ...(flags.followLinks !== undefined && { followLinks: flags.followLinks }),
      clock,
      signal,
      ingest: async (names) => {
        const shown = createProgress(stderr, clock)
        const result = await ingest({
          ...context,
          paths: names,
          tokens,
          nameOptions: { folder, ...nameOptionsOf(flags) },
          ...textFieldsOf(flags),
          pieceBytes: flags.pieceBytes,
          limits: limitsOf(flags),
          progress: {
            ...shown,
            wrote: (documents, rejected) => {
              meter.wrote(documents, rejected)
              shown.wrote(documents, rejected)
            },
          },
        })
        stderr.write(leftOutText(result.leftOut))
        return result
      },
      told: (source) => {
        stdout.write(`${flags.json ? JSON.stringify(source) : sentenceOf(source)}\n`)
        stderr.write(warningOf(source))
      },
      refused: (name, error) => {
        const hint = error instanceof WinnowError && error.hint !== undefined ? `; ${error.hint}` : ''
        stderr.write(`${name} is left out until it changes: ${error.message}${hint}\n`)
      },
      leftOut: (entries) => {
        // It is told, not waited for: what is ingested does not depend on it.
        leftOutOf(entries).then(
          (leftOut) => stderr.write(leftOutText(leftOut)),
          () => {},
        )
      },
    })
  } finally {
    meter.end()
  }
}

/** @throws WinnowError USAGE, CONFIGURATION for anything but one readable folder */
export async function onlyFolder(paths: readonly string[]): Promise<string> {
  const [path, ...more] = paths
  if (path === undefined || more.length > 0 || path === '-') {
    throw new WinnowError('USAGE', '--watch needs one folder', { hint: 'winnow ingest --watch incoming' })
  }
  if ((await inspect(path)).isDirectory()) return resolve(path)
  throw new WinnowError('CONFIGURATION', `${path} is not a folder`, { hint: 'ingest a file without --watch' })
}
