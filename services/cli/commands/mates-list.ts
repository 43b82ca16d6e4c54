import type { Command } from 'commander'
import { stagesOfRun } from '../../runs/mates/stages.ts'
import { runNamed } from '../../runs/registry.ts'
import { json } from '../../runtime/json.ts'
import { formatFixed, percent, table } from '../../terminal/table.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, print, widthOf } from '../context.ts'

export const stages = (context: CliContext): Command =>
  clusterCommand(
    'list',
    'the stages of a run: what each was fitted to, how far it is labelled, which rounds select by it',
  )
    .argument('<run>', 'the run')
    .option('--json', 'as JSON')
    .addHelpText('after', example('winnow mates list first'))
    .action(async (name: string, options: GlobalOptions & { json?: boolean }) => {
      await using connection = await context.connect(options)
      const { runtime } = connection
      const found = await stagesOfRun(runtime, await runNamed(runtime, name))
      if (options.json) return await print(context.stdout, `${json(found)}\n`)
      const number = true
      const columns = [
        { title: 'actor' },
        { title: 'version', whole: true },
        { title: 'rewards of' },
        { title: 'probes', number },
        { title: 'Spearman', number },
        { title: 'labelled', number },
        { title: 'selects' },
      ]
      const rows = found.map(({ actor, version, fit, labelled, documents, from, until, state }) => [
        actor,
        version,
        fit === null ? '' : `${fit.run}, round ${fit.rounds.join(', ')}`,
        fit === null ? '' : `${fit.probes}`,
        fit === null ? '' : formatFixed(fit.spearman, 3),
        percent(documents === 0 ? 0 : labelled / documents),
        state === 'waiting' ? waiting(labelled, documents) : `rounds ${from} to ${until ?? 'now'}`,
      ])
      await print(context.stdout, `${table(columns, rows, { width: widthOf(context.stdout) })}\n`)
    })

const waiting = (labelled: number, documents: number): string =>
  labelled < documents ? 'waits for its labels' : 'from the next round on'
