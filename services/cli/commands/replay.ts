import type { Command } from 'commander'
import { firstDifference as differenceOf } from '../../../topologies/campaign/refit.ts'
import { takenOverInWords } from '../../../topologies/rounds/other-text.ts'
import { type RunConfig, rulesOfRun } from '../../../topologies/run-config.ts'
import { type FitOfRun, fitsOfRun } from '../../campaigns/fits-of-run.ts'
import { readYaml } from '../../config/load.ts'
import type { Runtime } from '../../connections/connections.ts'
import { refitStages } from '../../runs/mates/refit.ts'
import { namesTaken, runNamed } from '../../runs/registry.ts'
import { replayRun } from '../../runs/replay/changes.ts'
import type { RoundComparison } from '../../runs/replay/compare.ts'
import { freeReplayName } from '../../runs/replay/name.ts'
import { replay as replayRecorded } from '../../runs/replay/replay.ts'
import { systemClock } from '../../runtime/clock.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { json } from '../../runtime/json.ts'
import { Counter } from '../../terminal/progress.ts'
import { percent } from '../../terminal/table.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, print } from '../context.ts'
import { RunSources, runHelp } from '../run-sources.ts'
import { summaries } from '../summaries.ts'

interface Options extends GlobalOptions {
  readonly run: string
  readonly as?: string
  readonly with?: string
  readonly refit?: boolean
  readonly json?: boolean
}

export const replay = (context: CliContext): Command =>
  clusterCommand('replay', summaries.replay)
    .requiredOption('--run <name>', `the recorded run: ${runHelp}`)
    .option('--as <name>', 'name of the replay (default: NAME-replay-1, -2, ...)')
    .option('--with <file>', 'other hyperparameters, JSON or YAML: an experiment instead of a check')
    .option(
      '--refit',
      'also computes the fits again that its initial weights, mixture and labels come from (docs/proxies.md, docs/mates.md)',
    )
    .option(
      '--json',
      'a JSON line per round; before them one per actor whose initial weights were fitted or came of a rule',
    )
    .addHelpText(
      'after',
      example(
        'winnow replay --run demo-7',
        'winnow replay --run demo-7 --with additive.yaml',
        'winnow replay --run demo-7 --refit',
      ),
    )
    .action(async (options: Options) => {
      const changes = options.with === undefined ? {} : readYaml(options.with)
      await using sources = new RunSources(context, options)
      const { runtime, run: original } = await sources.open(options.run)
      const recorded = await runNamed(runtime, original)
      const name = options.as ?? freeReplayName(original, await namesTaken(runtime))
      const run = replayRun(recorded, name, changes)
      if (options.with === undefined || options.refit) {
        await checkRules(context, recorded, options)
        await checkFits(context, runtime, recorded, options)
      }
      const progress = new Counter(context.stderr, systemClock, { doing: 'refolding', unit: 'rounds' })
      const show = (round: RoundComparison) => {
        progress.clear()
        return print(context.stdout, `${options.json ? json(round) : inWords(round)}\n`)
      }
      const shown: Promise<void>[] = []
      const rounds = await replayRecorded({
        runtime,
        recorded,
        replay: run,
        onRound: (round) => shown.push(show(round)),
        onProgress: (done, total) => progress.at(done, total),
      })
      progress.clear()
      await Promise.all(shown)
      const first = rounds.find(({ same }) => !same)
      if (options.with !== undefined) {
        const natural = rounds.flatMap(({ round, naturalShare }) =>
          naturalShare === undefined ? [] : [{ round, naturalShare }],
        )
        if (!options.json) for (const line of takenOverInWords(natural)) await print(context.stdout, `${line}\n`)
        return
      }
      if (first !== undefined) {
        throw new WinnowError(
          'REPLAY_DIFFERS',
          `round ${first.round} of ${name} differs from ${original}: ${first.firstDifference}`,
        )
      }
      if (!options.json)
        await print(context.stdout, `${rounds.length} rounds of ${original} and ${name} are the same to the bit\n`)
    })

/** Says of each actor whose initial weights a rule gave that it gives the same again. @throws WinnowError REPLAY_DIFFERS where it does not */
async function checkRules({ stdout }: CliContext, run: RunConfig, { json: asJson }: Options): Promise<void> {
  for (const { actor, rule, gives, has } of rulesOfRun(run)) {
    const firstDifference = differenceOf(has, gives)
    const same = firstDifference === undefined
    if (asJson) await print(stdout, `${json({ actor, ...rule, same, firstDifference: firstDifference ?? null })}\n`)
    else if (same)
      await print(stdout, `initial weights of ${actor}: by the rule ${rule.rule}, which gives them again to the bit\n`)
    if (!same) {
      const message = `the initial weights of ${actor} differ from the rule ${rule.rule} that gave them: ${firstDifference}`
      throw new WinnowError('REPLAY_DIFFERS', message)
    }
  }
}

/**
 * Says of initial weights and of a mixture that a campaign gave whether they are those of its fit, and with --refit whether the fit comes out the same.
 * @throws WinnowError REPLAY_DIFFERS with the first difference
 */
async function checkFits(
  { stdout, stderr }: CliContext,
  runtime: Runtime,
  run: RunConfig,
  { refit = false, json: asJson }: Options,
): Promise<void> {
  const fits = await fitsOfRun(runtime, run, refit)
  for (const fit of fits) {
    const { campaign, same } = fit
    if (asJson) await print(stdout, `${json(fit)}\n`)
    else if (same) {
      const again = refit ? ', which comes out again to the bit' : ''
      await print(stdout, `${whatOf(fit)}: those of the fit of ${campaign}${again}\n`)
    } else if (!fit.inLog && !refit) stderr.write(`${whatOf(fit)}: campaign ${campaign} is not in the log\n`)
  }
  // The numbers are in the run: without --refit nothing needs the campaign.
  const stages = refit ? await checkStages({ stdout }, runtime, run, asJson) : 0
  const first = fits.find(({ same, inLog }) => !same && (inLog || refit))
  if (first !== undefined) {
    throw new WinnowError(
      'REPLAY_DIFFERS',
      `the ${whatOf(first)} differ${first.of === 'mixture' ? 's' : ''} from the fit of ${first.campaign}: ${first.firstDifference}`,
    )
  }
  if (refit && fits.length === 0 && stages === 0)
    stderr.write(
      `no initial weights of ${run.name} come from a campaign, nor does a mixture, nor were labels fitted to rewards: nothing to refit\n`,
    )
}

/** Computes the fits of labels again, and says of each whether it comes out the same. @throws WinnowError REPLAY_DIFFERS with the first difference */
async function checkStages(
  { stdout }: Pick<CliContext, 'stdout'>,
  runtime: Runtime,
  run: RunConfig,
  asJson: boolean | undefined,
): Promise<number> {
  const stages = await refitStages(runtime, run)
  for (const stage of stages) {
    const { actor, round, version, same, regressor, firstDifference } = stage
    const what = `labels of ${actor} from round ${round} on, version ${version}`
    const again =
      regressor === 'hashed' ? 'their fit comes out again to the bit' : 'trained elsewhere, on the recorded rewards'
    if (asJson) await print(stdout, `${json(stage)}\n`)
    else if (same) await print(stdout, `${what}: ${again}\n`)
    if (!same) throw new WinnowError('REPLAY_DIFFERS', `the ${what} differ from their fit: ${firstDifference}`)
  }
  return stages.length
}

const whatOf = ({ of, actor }: FitOfRun): string =>
  of === 'mixture' ? `mixture of ${actor}` : `initial weights of ${actor}`

function inWords({ round, same, firstDifference, documents, common }: RoundComparison): string {
  if (same) return `round ${round}: same, ${documents[0]} documents`
  const share = percent(common / Math.max(1, documents[0]))
  return `round ${round}: ${common} of ${documents[0]} documents in common (${share}); first difference: ${firstDifference}`
}
