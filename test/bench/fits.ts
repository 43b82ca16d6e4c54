/**
 * How well each fit orders mixtures that it has not seen, by the number of proxies that it was made from, and in how many seconds: the table of
 * docs/proxies.md. Run by hand on RegMix's public runs: node test/bench/fits.ts MIXTURES.csv LOSSES.csv
 * (train_mixture_1m.csv and train_pile_loss_1m.csv of github.com/sail-sg/regmix). Every fourth run is held out; means over all losses.
 */
import { readFileSync } from 'node:fs'
import { fitKinds, fitOf } from '../../topologies/fits/fit.ts'
import { spearman } from '../../topologies/fits/spearman.ts'
import { type Predict, rowOf, rowsOf, type Table, tableOf } from '../../topologies/fits/table.ts'
import { fitTrees, predictTrees } from '../../topologies/fits/trees.ts'

const [mixturesFile, lossesFile] = process.argv.slice(2)
if (mixturesFile === undefined || lossesFile === undefined)
  throw new Error('node test/bench/fits.ts MIXTURES.csv LOSSES.csv')

const numbers = (file: string) =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split(',').slice(1).map(Number))
const mixtures = numbers(mixturesFile)
const losses = numbers(lossesFile)
const rows = mixtures.map((_, row) => row)
const seen = rows.filter((row) => row % 4 !== 0)
const rest = rows.filter((row) => row % 4 === 0)

const fits: readonly (readonly [name: string, predictorOf: (table: Table) => Predict])[] = [
  ...fitKinds.map((kind) => [kind, (table: Table) => fitOf(kind, table)] as const),
  ['gbdt, 20 rows a leaf', (table) => predictTrees(fitTrees(table))],
]
process.stdout.write(`${['proxies', ...fits.flatMap(([name]) => [name, 's'])].join('\t')}\n`)
for (const count of [24, 32, 48, 64, 96, 128, 192, 256, seen.length]) {
  const line = fits.map(([, predictorOf]) => {
    let [sum, seconds] = [0, 0]
    losses[0]!.forEach((_, loss) => {
      const table = tableOf(
        mixtures,
        losses.map((row) => row[loss]!),
      )
      const from = performance.now()
      const predict = predictorOf(rowsOf(table, seen.slice(0, count)))
      seconds += (performance.now() - from) / 1000
      const unseen = rowsOf(table, rest)
      sum +=
        spearman(
          Array.from({ length: unseen.rows }, (_, row) => predict(rowOf(unseen, row))),
          unseen.target,
        ) ?? 0
    })
    return [((100 * sum) / losses[0]!.length).toFixed(2), (seconds / losses[0]!.length).toFixed(2)]
  })
  process.stdout.write(`${[count, ...line.flat()].join('\t')}\n`)
}
