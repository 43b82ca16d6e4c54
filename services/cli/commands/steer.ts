import { type Command, InvalidArgumentError } from 'commander'
import type { Steering } from '../../../schemas/index.ts'
import { steerRun } from '../../runs/steer.ts'
import { systemClock } from '../../runtime/clock.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { json } from '../../runtime/json.ts'
import {
  type CliContext,
  clusterCommand,
  example,
  type GlobalOptions,
  naturalNumber,
  positiveShare,
  print,
} from '../context.ts'
import { summaries } from '../summaries.ts'
import { withBy } from './eval-set.ts'

type Rule = Steering['rules'][number]

interface Options extends GlobalOptions {
  readonly floor?: Rule[]
  readonly cap?: Rule[]
  readonly pin?: Rule[]
  readonly free?: Rule[]
  readonly repetitions?: number
  readonly otherText?: number
  readonly from?: number
  readonly against?: string | number
  readonly fall?: number
  readonly why: string
  readonly by: string
  readonly at?: number
  readonly json?: boolean
}

export const steer = (context: CliContext): Command =>
  withBy(clusterCommand('steer', summaries.steer))
    .argument('<run>', 'the run')
    .option(
      '--floor <actor=subcategory:share>',
      'at least this share of every selection; may be repeated',
      rules('floor'),
    )
    .option('--cap <actor=subcategory:share>', 'at most this share; may be repeated', rules('cap'))
    .option('--pin <actor=subcategory:share>', 'exactly this share; may be repeated', rules('pin'))
    .option('--free <actor=subcategory>', 'no guard of it any more; may be repeated', rules('free'))
    .option('--repetitions <most>', 'documents read this often are not selected again; 0: however often', repetitions)
    .option(
      '--other-text <bound>',
      'the loss on other text grows by at most this many nats per token; 0: by however much',
      nats,
    )
    .option(
      '--from <growth>',
      'and the natural mixture is drawn from this growth on (default: half of the bound)',
      nats,
    )
    .option(
      '--against <run or loss>',
      'the growth over this run, or this loss (default: over the lowest that the run has reported)',
      runOrLoss,
    )
    .option(
      '--fall <share>',
      'and the natural share falls by at most this from one round to the next (default: as before, at first 0.125)',
      positiveShare,
    )
    .requiredOption('--why <text>', 'recorded, and shown where the guard is')
    .option('--at <round>', 'not before this round (default: the next one)', naturalNumber)
    .option('--json', 'what was recorded, as JSON')
    .addHelpText(
      'after',
      example(
        'winnow steer first --floor domain=GitHub:0.1 --why product',
        'winnow steer first --cap quality=0-1:0.05 --repetitions 2 --at 7 --why noise',
        'winnow steer first --other-text 0.2 --against first-control --why chat',
        "winnow steer first --free domain=GitHub --why 'evaluation is done'",
      ),
    )
    .action(async (run: string, options: Options) => {
      const { floor = [], cap = [], pin = [], free = [], repetitions: most, by, why, at } = options
      const wanted = [...free, ...floor, ...cap, ...pin]
      const otherBound = boundOf(options)
      if (wanted.length === 0 && most === undefined && otherBound === null)
        throw new WinnowError('USAGE', 'nothing to steer by', {
          hint: 'Give --floor, --cap, --pin, --free, --repetitions or --other-text.',
        })
      await using connection = await context.connect(options)
      const steering = await steerRun(
        connection.runtime,
        { run, rules: wanted, repetitionsMost: most ?? null, otherBound, by, why, fromRound: at ?? null },
        systemClock,
      )
      if (options.json) return await print(context.stdout, `${json(steering)}\n`)
      const when = steering.fromRound === null ? 'the next round' : `round ${steering.fromRound}`
      await print(context.stdout, `${run} is steered from ${when} on: winnow run show ${run}\n`)
    })

function boundOf(options: Options): Steering['otherBound'] {
  const { otherText: bound } = options
  const from = options.from ?? null
  const against = options.against ?? null
  const fall = options.fall ?? null
  if (bound === undefined) {
    if (from === null && against === null && fall === null) return null
    throw new WinnowError('USAGE', '--from, --against and --fall are about --other-text', {
      hint: 'Give the bound as well.',
    })
  }
  const isRun = typeof against === 'string'
  return { bound, from, run: isRun ? against : null, loss: isRun ? null : against, fall }
}

function nats(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= 0 && Number.isFinite(value)))
    throw new InvalidArgumentError('must be a number of nats per token, 0 or more')
  return value
}

/** Names of runs begin with a letter. */
const runOrLoss = (text: string): string | number =>
  Number.isFinite(Number(text)) && text.trim() !== '' ? Number(text) : text

/** Collects an option that may be repeated. */
const rules =
  (kind: Rule['kind']) =>
  (text: string, before: Rule[] = []): Rule[] => {
    const from = text.indexOf('=')
    const to = kind === 'free' ? text.length : text.lastIndexOf(':')
    const share = kind === 'free' ? 0 : Number(text.slice(to + 1))
    const isWhole = from > 0 && to > from + 1 && (kind === 'free' || (text.length > to + 1 && share >= 0 && share <= 1))
    if (!isWhole)
      throw new InvalidArgumentError(
        kind === 'free' ? 'must be as domain=GitHub' : 'must be as domain=GitHub:0.1, with a share from 0 to 1',
      )
    return [...before, { kind, actor: text.slice(0, from), subcategory: text.slice(from + 1, to), share }]
  }

function repetitions(text: string): number {
  const most = Number(text)
  if (!/^[0-9]+$/.test(text) || most >= 2 ** 31) throw new InvalidArgumentError('must be a whole number, 0 or more')
  return most
}
