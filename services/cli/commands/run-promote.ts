import type { Command } from 'commander'
import { promoteShadow } from '../../runs/shadows/promote.ts'
import { systemClock } from '../../runtime/clock.ts'
import { json } from '../../runtime/json.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, naturalNumber, print } from '../context.ts'

interface Options extends GlobalOptions {
  readonly round?: number
  readonly json?: boolean
}

export const promote = (context: CliContext): Command =>
  clusterCommand('promote', 'lets a live run go on by the settings and weights of a shadow of it')
    .argument('<shadow>', 'the shadow')
    .option('--round <round>', 'not before this round (default: the next one)', naturalNumber)
    .option('--json', 'what was asked for, as JSON')
    .addHelpText('after', example('winnow run promote first-shadow-1', 'winnow run promote quicker --round 7'))
    .action(async (name: string, options: Options) => {
      await using connection = await context.connect(options)
      const promoting = await promoteShadow(connection.runtime, name, options.round ?? null, systemClock)
      if (options.json) return await print(context.stdout, `${json(promoting)}\n`)
      const { run, shadow, fromRound, isNew } = promoting
      const when = fromRound === null ? 'its next round' : `round ${fromRound}`
      const text = isNew
        ? `${run} goes on as ${shadow} from ${when} on, or from the first after it that ${shadow} is level with`
        : `${run} goes on as ${shadow}, or will, already`
      await print(context.stdout, `${text}: winnow run show ${run}\n`)
    })
