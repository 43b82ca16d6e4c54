import { Command } from 'commander'
import type { LedgerRow } from '../../../topologies/ledger/ledger.ts'
import { needsLabels } from '../../../topologies/rounds/configuration.ts'
import type { RunConfig } from '../../../topologies/run-config.ts'
import type { Runtime } from '../../connections/connections.ts'
import { readChanges } from '../../runs/actor-changes.ts'
import { type ChargedRun, type LedgerOfRuns, ledgerOf, readLedger } from '../../runs/ledger.ts'
import { runNamed } from '../../runs/registry.ts'
import { json } from '../../runtime/json.ts'
import { formatFlops, table } from '../../terminal/table.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, print, widthOf } from '../context.ts'
import { summaries } from '../summaries.ts'
import { book } from './ledger-book.ts'
import { paper } from './ledger-paper.ts'

export const ledger = (context: CliContext): Command =>
  new Command('ledger')
    .description(summaries.ledger)
    .addHelpText('after', example('winnow ledger first', 'winnow ledger first first-control', 'winnow ledger paper'))
    .addCommand(show(context), { isDefault: true })
    .addCommand(paper(context))
    .addCommand(book(context))

const show = (context: CliContext): Command =>
  clusterCommand('show', 'of a run, or of two beside each other, with the work that they share once (the default)')
    .argument('<run>', 'a run')
    .argument('[other]', 'another one')
    .option('--json', 'as JSON')
    .addHelpText('after', example('winnow ledger show first first-control --json'))
    .action(async (name: string, other: string | undefined, options: GlobalOptions & { json?: boolean }) => {
      await using connection = await context.connect(options)
      const { runtime } = connection
      const names = other === undefined || other === name ? [name] : [name, other]
      const runs: ChargedRun[] = []
      for (const one of names) runs.push(await charged(runtime, await runNamed(runtime, one)))
      const work = await readLedger(runtime, runs)
      const apart = runs.map((run) => ({ run: run.name, ...ledgerOf(work, [run]) }))
      const together = ledgerOf(work, runs)
      if (options.json) return await print(context.stdout, `${json({ runs: apart, together })}\n`)
      const width = widthOf(context.stdout)
      await print(context.stdout, `${pieces(together.rows, runs.length > 1, width)}\n\n`)
      const rows = apart.map((one) => totals(one.run, one))
      if (runs.length > 1) rows.push(totals('together, shared work once', together))
      await print(context.stdout, `${table(totalColumns, rows, { width })}\n`)
    })

/** Labels for actors that were added, and those of every stage, are its cost too, also before they are used. */
async function charged(runtime: Runtime, run: RunConfig): Promise<ChargedRun> {
  const { configuration, waiting } = await readChanges(runtime, run)
  return { ...run, given: [...configuration.changes.map(({ change }) => change), ...waiting].filter(needsLabels) }
}

const secondsText = (seconds: number): string => seconds.toFixed(1)

function pieces(rows: readonly LedgerRow[], several: boolean, width: number | undefined): string {
  const number = true
  const columns = [
    { title: 'phase', whole: true },
    { title: 'work', whole: true },
    { title: 'of' },
    ...(several ? [{ title: 'for' }] : []),
    { title: 'model' },
    { title: 'parameters', number },
    { title: 'tokens', number },
    { title: 'FLOPs', number },
    { title: 'seconds', number },
    { title: 'device', whole: true },
  ]
  const cells = rows.map((row) => [
    row.phase,
    row.purpose,
    row.subject,
    ...(several ? [row.run ?? 'all runs'] : []),
    row.model,
    row.parameters.toLocaleString('en'),
    row.tokens.toLocaleString('en'),
    formatFlops(row.flops),
    secondsText(row.seconds),
    row.device,
  ])
  return table(columns, cells, { width })
}

const totalColumns = [
  { title: 'FLOPs' },
  { title: 'offline', number: true },
  { title: 'online', number: true },
  { title: 'overall, as Table 6 counts', number: true },
  { title: 'with what it leaves out', number: true },
  { title: 'training', number: true },
]

const totals = (name: string, { tableSix, everything, training }: LedgerOfRuns): string[] => [
  name,
  ...[tableSix.offline, tableSix.online, tableSix.overall, everything.overall, training].map(formatFlops),
]
