import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { bestMixture } from '../../../topologies/fits/best-mixture.ts'
import { fitOf } from '../../../topologies/fits/fit.ts'
import { spearman } from '../../../topologies/fits/spearman.ts'
import { rowOf, rowsOf, tableOf } from '../../../topologies/fits/table.ts'
import { uniformsOf } from './planted.ts'

const folder = join(import.meta.dirname, '../../../../shared/data/regmix')

const numbers = (file: string) =>
  readFileSync(join(folder, file), 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.split(',').slice(1).map(Number))

/** A quarter of the 512 public runs is held out. LightGBM 4.7.0 with RegMix's options orders it at 98.67, mean over the 13 losses. */
describe.skipIf(!existsSync(folder))("RegMix's public runs (../shared/data/regmix)", () => {
  const table = (loss: number) =>
    tableOf(
      numbers('train_mixture_1m.csv'),
      numbers('train_pile_loss_1m.csv').map((row) => row[loss]!),
    )
  const rows = Array.from({ length: 512 }, (_, row) => row)
  const [seen, heldOut] = [rows.filter((row) => row % 4 !== 0), rows.filter((row) => row % 4 === 0)]

  const order = (kind: 'gbdt' | 'exponential' | 'linear', losses: readonly number[]) => {
    const correlations = losses.map((loss) => {
      const predict = fitOf(kind, rowsOf(table(loss), seen))
      const rest = rowsOf(table(loss), heldOut)
      return spearman(
        Array.from({ length: rest.rows }, (_, row) => predict(rowOf(rest, row))),
        rest.target,
      )!
    })
    return (100 * correlations.reduce((a, b) => a + b, 0)) / losses.length
  }

  it('are ordered by trees as by LightGBM', () => {
    // Pile-CC, GitHub and Ubuntu IRC: with 128 runs held out LightGBM has 98.3 here.
    expect(order('gbdt', [8, 5, 9])).toBeGreaterThan(98)
  })

  it('are ordered by the law and by ridge a little worse', () => {
    const all = Array.from({ length: 13 }, (_, loss) => loss)
    expect(order('exponential', all)).toBeGreaterThan(95.5)
    expect(order('linear', all)).toBeGreaterThan(96)
  })

  it('want mostly web text for the loss on web text, as RegMix found', () => {
    const mixtures = numbers('train_mixture_1m.csv')
    const prior = mixtures[0]!.map((_, at) => mixtures.reduce((sum, row) => sum + row[at]!, 0))
    const best = bestMixture(prior, fitOf('gbdt', table(8)), uniformsOf('pile'), { draws: 20_000, mean: 128 })!
    expect(best.shares.indexOf(Math.max(...best.shares))).toBe(11)
    expect(best.shares[11]).toBeGreaterThan(0.4)
  })
})
