import type { Command } from 'commander'
import type { Runtime } from '../../connections/connections.ts'
import { RunList } from '../../host/run-list.ts'
import { deleteRun } from '../../runs/delete-run.ts'
import { type FollowedRun, lookAtRuns } from '../../runs/followed-run.ts'
import { recordOf, setLife } from '../../runs/registry.ts'
import type { RunState } from '../../runs/run-state.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { json } from '../../runtime/json.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, print } from '../context.ts'

type Options = GlobalOptions & { readonly json?: boolean }

function change(
  context: CliContext,
  name: string,
  description: string,
  past: string,
  work: (runtime: Runtime, run: string) => Promise<void>,
): Command {
  const command = ['winnow', 'run', name].join(' ')
  return clusterCommand(name, description)
    .argument('<run>', 'the run')
    .option('--json', 'what was done, as JSON')
    .addHelpText('after', example(`${command} first`))
    .action(async (run: string, options: Options) => {
      await using connection = await context.connect(options)
      await work(connection.runtime, run)
      await print(context.stdout, options.json ? `${json({ run, [past]: true })}\n` : `${run} ${past}\n`)
    })
}

export const pause = (context: CliContext): Command =>
  change(
    context,
    'pause',
    'closes the services of a run, wherever they are, until it is resumed',
    'paused',
    (runtime, run) => setLife(runtime, run, 'paused'),
  )

export const resume = (context: CliContext): Command =>
  change(context, 'resume', 'lets a paused run go on where it was', 'resumed', (runtime, run) =>
    setLife(runtime, run, 'active'),
  )

export const end = (context: CliContext): Command =>
  change(context, 'end', 'ends a run for ever; what it recorded stays', 'ended', (runtime, run) =>
    setLife(runtime, run, 'ended'),
  )

export const archive = (context: CliContext): Command =>
  change(
    context,
    'archive',
    'ends a run and hides it; winnow run list --all shows it',
    'archived',
    async (runtime, run) => {
      await refuseAtWork(runtime, run)
      await setLife(runtime, run, 'archived')
    },
  )

export const remove = (context: CliContext): Command =>
  clusterCommand('delete', 'removes a run and everything it recorded; its checkpoints stay')
    .argument('<run>', 'the run')
    .option('--json', 'what was done, as JSON')
    .addHelpText('after', example('winnow run delete first'))
    .action(async (run: string, options: Options) => {
      await using connection = await context.connect(options)
      const { runtime } = connection
      const { unreadable } = await RunList.read(runtime)
      const config = unreadable.has(run) ? undefined : (await refuseAtWork(runtime, run)).config
      await deleteRun(runtime, run)
      await print(context.stdout, options.json ? `${json({ run, deleted: true })}\n` : `${run} deleted\n`)
      const where = config === undefined ? 'where its configuration says' : `in ${config.checkpoints}/${run}`
      context.stderr.write(`its checkpoints, if any, are still ${where}\n`)
    })

const over: readonly RunState['state'][] = ['recorded', 'done', 'ended', 'archived', 'replay']

/** What cannot be undone is only done to a run that is over. @throws WinnowError CONFIGURATION */
async function refuseAtWork(runtime: Runtime, name: string): Promise<FollowedRun> {
  const [found] = await lookAtRuns(runtime, [await recordOf(runtime, name)], { archived: true })
  const { state } = found!.state
  if (over.includes(state)) return found!.run
  throw new WinnowError('CONFIGURATION', `run ${name} is not over: it is ${state}`, {
    hint: `End it first, which is for ever: winnow run end ${name}.`,
  })
}
