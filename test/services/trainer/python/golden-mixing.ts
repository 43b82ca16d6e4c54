// Writes mixing.json: what topologies/mixing makes of seeded batches, for test_mixing.py. `npx node golden-mixing.ts` writes it again, and biome formats it.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type DomainWeights, initialDomainWeights, meanWeights } from '../../../../topologies/mixing/averaged.ts'
import { dogeDefaults, dogeUpdate, dogeVariants } from '../../../../topologies/mixing/doge.ts'
import { doremiStart, doremiUpdate, rowWeights } from '../../../../topologies/mixing/doremi.ts'
import { domainsOfStep } from '../../../../topologies/mixing/rows.ts'
import { Seeded } from '../../../support/seeded.ts'

export const goldenMixingFile = join(import.meta.dirname, 'mixing.json')

const steps = Array.from({ length: 12 }, (_, k) => k)
const prior = [30, 0, 10, 60]

/** Of each update, what it was given, and the weights after it. */
export function goldenMixing() {
  const random = new Seeded(15)
  const number = (below: number) => (random.below(1_000_001) / 1_000_000) * below
  const domains = Array.from({ length: 8 }, () => random.pick([0, 2, 3]))
  const weighted = { domains, weights: [0.5, 0, 0.3, 0.2], prior: [0.3, 0, 0.1, 0.6] }
  return {
    prior,
    doremi: [
      { rate: 1, smoothing: 1e-4 },
      { rate: 0.3, smoothing: 0.05 },
    ].map((options) => {
      let state = doremiStart(prior)
      const updates = steps.map(() => {
        const excess = prior.map((amount) => (amount === 0 || random.below(4) === 0 ? null : number(3)))
        state = doremiUpdate(state, excess, options)
        return { excess, weights: state.weights }
      })
      return { options, updates, mean: meanWeights(state) }
    }),
    doge: dogeVariants.map((variant) => {
      let state: DomainWeights = initialDomainWeights(prior.map((amount) => (amount > 0 ? 1 : 0)))
      const updates = steps.map(() => {
        const own = prior.map((amount) => (amount === 0 ? 0 : number(1)))
        const target = own.map((product) => (product === 0 ? 0 : product + number(2) - 1))
        const learningRate = number(0.2)
        state = dogeUpdate(state, { target, own }, learningRate, { variant, ...dogeDefaults })
        return { target, own, learningRate, weights: state.weights }
      })
      return { variant, updates, mean: meanWeights(state) }
    }),
    draws: steps.map((step) => ({
      seed: `s${step % 3}`,
      step,
      domains: domainsOfStep(`s${step % 3}`, step, 8, prior),
    })),
    rows: { ...weighted, counts: rowWeights(domains, weighted.weights, weighted.prior) },
  }
}

export const goldenMixingText = () => `${JSON.stringify(goldenMixing(), null, 1)}\n`

if (process.argv[1] === import.meta.filename) writeFileSync(goldenMixingFile, goldenMixingText())
