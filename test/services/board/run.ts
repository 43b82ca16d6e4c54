import { parseRunConfig, type RunConfig } from '../../../topologies/run-config.ts'

/** A run with one actor of two subcategories. */
export const testRun = (name: string): RunConfig =>
  parseRunConfig({
    name,
    selection: {
      seed: 1,
      actors: { quality: { subcategories: ['low', 'high'], eta: 0.5 } },
      budget: { documents: 10 },
    },
    updateSteps: 10,
    steps: 100,
    labelers: { quality: 'v1' },
    reference: { reward: 'r', evaluation: 'e', corpus: 'c' },
    model: 'm',
    checkpoints: 'c',
  })
