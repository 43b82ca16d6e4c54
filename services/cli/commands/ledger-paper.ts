import { Command } from 'commander'
import {
  leftOutOfPaper,
  type PaperMethod,
  rowsOf,
  tableSix,
  totalsOfPaper,
} from '../../../topologies/ledger/table-six.ts'
import { json } from '../../runtime/json.ts'
import { formatFlops, table } from '../../terminal/table.ts'
import { type CliContext, example, print, widthOf } from '../context.ts'

/** A row of Table 6 as printed and as computed, and what it leaves out. */
const described = (one: PaperMethod) => ({
  method: one.method,
  printed: one.printed,
  computed: totalsOfPaper(one),
  leftOut: leftOutOfPaper(one),
  work: one.work,
  leftOutWork: one.leftOut,
  unknown: one.unknown,
})

export const paper = ({ stdout }: CliContext): Command =>
  new Command('paper')
    .description("the paper's Table 6, each row from its numbers, and what the table leaves out")
    .option('--json', 'as JSON')
    .addHelpText('after', example('winnow ledger paper'))
    .action(async ({ json: asJson }: { json?: boolean }) => {
      if (asJson) return await print(stdout, `${json(tableSix.map(described))}\n`)
      const width = widthOf(stdout)
      await print(stdout, `${table(columns, tableSix.map(row), { width })}\n\n`)
      const details = tableSix.flatMap((one) => [
        ...itemsOf(one.method, 'counted', one.work),
        ...itemsOf(one.method, 'left out', one.leftOut),
        ...one.unknown.map((what) => [one.method, 'left out', what, 'not known', '']),
      ])
      await print(stdout, `${table(detailColumns, details, { width })}\n`)
    })

const number = true
const columns = [
  { title: 'method' },
  ...['offline', 'printed', 'online', 'printed', 'overall', 'printed'].map((title) => ({ title, number })),
  { title: 'left out', number },
]

function row(one: PaperMethod): string[] {
  const { offline, online, overall } = totalsOfPaper(one)
  const orNone = (printed: number | null) => (printed === null ? 'N.A.' : formatFlops(printed))
  return [
    one.method,
    ...[formatFlops(offline), orNone(one.printed.offline), formatFlops(online), orNone(one.printed.online)],
    ...[formatFlops(overall), orNone(one.printed.overall), formatFlops(leftOutOfPaper(one))],
  ]
}

const detailColumns = [
  { title: 'method' },
  { title: 'in Table 6', whole: true },
  { title: 'work' },
  { title: 'FLOPs', number },
  { title: 'from' },
]

function itemsOf(method: string, counted: string, work: PaperMethod['work']): string[][] {
  return work.map((one) => {
    const [only] = rowsOf([one])
    return [method, counted, `${one.what} (${one.model})`, formatFlops(only!.flops), one.source]
  })
}
