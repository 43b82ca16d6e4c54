import type { RunConfig } from './run-config.ts'

type Configured = Pick<RunConfig, 'sampleDocuments' | 'selection'>

/** A control draws at random from all documents: it requests no rewards, and neither actors nor labels score anything. */
export function isControl({ sampleDocuments, selection }: Configured): boolean {
  const { strategy, actors } = selection
  if (sampleDocuments > 0) return false
  if (strategy === undefined || strategy.score.kind === 'actors')
    return actors.every(({ initialTheta }) => initialTheta === 0)
  return strategy.score.kind === 'zero' && strategy.pool.length === 0 && strategy.mixture === undefined
}

/** What a run selects by, in words, if that is not theta and weights of its actors; null: it is. */
export function selectsBy(config: Configured): string | null {
  if (isControl(config)) return 'control: drawn at random'
  const score = config.selection.strategy?.score
  if (score === undefined || score.kind === 'actors') return null
  return score.kind === 'zero' ? 'strategy: drawn at random from its pool' : `strategy: scores of ${score.actor}`
}
