import { resolve } from 'node:path'
import type { Command } from 'commander'
import { sweptValues, together } from '../../../topologies/ablation/sweep.ts'
import { runConfigJson } from '../../../topologies/run-config.ts'
import { readYaml } from '../../config/load.ts'
import { namesTaken, runNamed } from '../../runs/registry.ts'
import { freeReplayName } from '../../runs/replay/name.ts'
import { recordShadow } from '../../runs/shadows/record.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, print } from '../context.ts'

interface Options extends GlobalOptions {
  readonly as?: string
  readonly with?: string
  readonly set: readonly string[]
  readonly json?: boolean
}

export const shadow = (context: CliContext): Command =>
  clusterCommand(
    'shadow',
    'records a run that follows the rewards of a live one and selects by other settings, for nobody',
  )
    .argument('<run>', 'the live run')
    .option('--as <name>', 'name of the shadow (default: NAME-shadow-1, -2, ...)')
    .option('--with <file>', 'its hyperparameters or its strategy, JSON or YAML, as of winnow replay --with')
    .option(
      '--set <key=value>',
      'one of them: eta=0.3 (of all actors), eta.topic=0.1, update=additive, ..; repeatable',
      (value: string, all: readonly string[]) => [...all, value],
      [] as readonly string[],
    )
    .option('--json', 'what was recorded, as JSON')
    .addHelpText('after', example('winnow run shadow first --set eta=0.3', 'winnow run shadow first --with dsir.yaml'))
    .action(async (leader: string, options: Options) => {
      await using connection = await context.connect(options)
      const { runtime } = connection
      const { selection } = await runNamed(runtime, leader)
      const changed = changesOf(
        context.folder,
        options,
        selection.actors.map(({ name }) => name),
      )
      const name = options.as ?? freeReplayName(leader, await namesTaken(runtime), 'shadow')
      const run = await recordShadow(runtime, leader, name, changed)
      await print(context.stdout, options.json ? `${runConfigJson(run)}\n` : `${name}\n`)
      context.stderr.write(
        `recorded; next: npx winnow run start ${name} (not where 'winnow dev' or 'winnow up --all-runs' runs: they run it)\n`,
      )
    })

/** @throws WinnowError USAGE for a `--set` that is not one value of one key */
function changesOf(folder: string, options: Options, actors: readonly string[]): Record<string, unknown> {
  const file = options.with === undefined ? {} : readYaml(resolve(folder, options.with))
  if (typeof file !== 'object' || file === null || Array.isArray(file))
    throw new WinnowError('CONFIGURATION', `${options.with}: not settings by their names`)
  const set = options.set.map((given) => {
    const values = sweptValues(given, actors) ?? []
    if (values.length === 1) return values[0]!
    throw new WinnowError('USAGE', `--set ${given}: not KEY=VALUE`, {
      hint: 'For example eta=0.3, eta.topic=0.1, update=additive or rewardTransform=standardize. Strategies are set by --with FILE.',
    })
  })
  return together([{ name: options.with ?? '', change: file as Record<string, unknown> }, ...set])
}
