import type { Command } from 'commander'
import { RunList } from '../../host/run-list.ts'
import { lookAtRuns } from '../../runs/followed-run.ts'
import { kindOf } from '../../runs/run-state.ts'
import { unreadableIn, unreadableLines } from '../../runs/unreadable.ts'
import { json } from '../../runtime/json.ts'
import { fittingTable, formatFixed } from '../../terminal/table.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, print, widthOf } from '../context.ts'

/** On a narrow terminal. */
const leftOut = ['recorded', 'reference loss', 'kind']

export const list = (context: CliContext): Command =>
  clusterCommand('list', 'the recorded runs: what they are, their states, steps and rounds')
    .option('--all', 'archived ones too')
    .option('--json', 'with their configurations, one JSON line each')
    .addHelpText('after', example('winnow run list', 'winnow run list --json | jq .config.steps'))
    .action(async (options: GlobalOptions & { all?: boolean; json?: boolean }) => {
      await using connection = await context.connect(options)
      const { runtime } = connection
      const recorded = await RunList.read(runtime)
      const runs = await lookAtRuns(runtime, recorded.runs.values(), { archived: options.all === true })
      if (options.json) {
        for (const { run, state } of runs) {
          const { run: name, replayOf, life, recordedMs, config } = run.record
          const line = { run: name, kind: kindOf(run.record, run.config), ...state, replayOf, life, recordedMs }
          await print(context.stdout, `${json({ ...line, config: JSON.parse(config) })}\n`)
        }
        for (const one of unreadableIn(recorded))
          await print(context.stdout, `${json({ ...one, state: 'unreadable' })}\n`)
        return
      }
      for (const line of unreadableLines(recorded)) context.stderr.write(`${line}\n`)
      if (runs.length === 0) {
        if (recorded.unreadable.size > 0) return
        context.stderr.write('no runs yet: winnow init --run writes one, winnow run create records it\n')
        return
      }
      const columns = [
        { title: 'run' },
        { title: 'kind' },
        { title: 'is' },
        { title: 'step', number: true },
        { title: 'round', number: true },
        { title: 'reference loss', number: true },
        { title: 'recorded' },
      ]
      const rows = runs.map(({ run: { config, record, view }, state }) => [
        config.name,
        kindOf(record, config),
        state.state,
        `${view.lastReport?.step ?? 0}/${config.steps}`,
        `${view.lastManifest?.round ?? '–'}`,
        formatFixed(view.lastWith('referenceLoss')?.referenceLoss, 4),
        record.recordedMs === null ? '–' : new Date(record.recordedMs).toISOString().slice(0, 16).replace('T', ' '),
      ])
      await print(context.stdout, `${fittingTable(columns, rows, leftOut, widthOf(context.stdout))}\n`)
    })
