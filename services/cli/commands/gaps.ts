import { Command } from 'commander'
import { allGaps } from '../../runs/gaps.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { Gaps } from '../../runtime/gaps.ts'
import { json } from '../../runtime/json.ts'
import { holeName } from '../../runtime/kafka/hole.ts'
import { table } from '../../terminal/table.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, print, widthOf } from '../context.ts'
import { summaries } from '../summaries.ts'

interface AcceptOptions extends GlobalOptions {
  readonly all?: boolean
  readonly json?: boolean
}

export function gaps(context: CliContext): Command {
  const command = new Command('gaps').description(summaries.gaps)
  command.addCommand(
    clusterCommand('list', 'gaps in the logs; what is not accepted keeps stations waiting')
      .option('--json', 'as JSON lines')
      .addHelpText('after', example('winnow gaps list', "winnow gaps list --json | jq 'select(.accepted | not)'"))
      .action(async (options: GlobalOptions & { json?: boolean }) => {
        await using connection = await context.connect(options)
        const { config, runtime } = connection
        const found = await allGaps(runtime, config)
        if (options.json) {
          for (const gap of found) await print(context.stdout, `${json({ gap: holeName(gap), ...gap })}\n`)
          return
        }
        const columns = [{ title: 'gap' }, { title: 'reason' }, { title: 'found by' }, { title: 'state' }]
        const rows = found.map((gap) => [
          holeName(gap),
          gap.reason,
          gap.station,
          gap.accepted ? 'accepted' : 'waits for you',
        ])
        const shown = rows.length === 0 ? 'no gaps' : table(columns, rows, { width: widthOf(context.stdout) })
        await print(context.stdout, `${shown}\n`)
      }),
  )
  command.addCommand(
    clusterCommand('accept', 'lets stations go on behind gaps: what is missing stays missing')
      .argument('[gaps...]', 'gaps, as list names them')
      .option('--all', 'all that are not accepted yet')
      .option('--json', 'as JSON lines')
      .addHelpText('after', example('winnow gaps accept winnow.documents[0]@480-580'))
      .action(async (names: readonly string[], options: AcceptOptions) => {
        if (names.length === 0 && options.all !== true)
          throw new WinnowError('USAGE', 'which gaps are meant?', {
            hint: 'Name them as winnow gaps list does, or --all.',
          })
        await using connection = await context.connect(options)
        const { config, runtime } = connection
        const open = (await allGaps(runtime, config)).filter(({ accepted }) => !accepted)
        const unknown = names.find((name) => !open.some((gap) => holeName(gap) === name))
        if (unknown !== undefined) {
          const known = open.map(holeName).join(', ') || 'none'
          throw new WinnowError('USAGE', `no gap ${unknown} waits`, { hint: `Those that wait: ${known}.` })
        }
        const meant = open.filter((gap) => options.all === true || names.includes(holeName(gap)))
        if (meant.length === 0) return void context.stderr.write('no gap waits\n')
        await new Gaps(runtime).write(meant.map((gap) => ({ ...gap, accepted: true })))
        for (const gap of meant)
          await print(
            context.stdout,
            options.json ? `${json({ gap: holeName(gap), ...gap, accepted: true })}\n` : `${holeName(gap)} accepted\n`,
          )
      }),
  )
  return command
}
