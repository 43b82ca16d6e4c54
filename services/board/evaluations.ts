import type { Evaluation } from '../../schemas/index.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import type { Runtime } from '../connections/connections.ts'
import { evaluateRun } from '../runs/evaluation/evaluate.ts'
import { WinnowError } from '../runtime/errors.ts'

/** What a run's selections are worth, by round; `why` there is nothing to say. */
export interface RunEvaluations {
  readonly rounds: readonly Evaluation[]
  readonly why: string | null
}

/** What is computed of runs when somebody asks, one at a time: it reads the run's log. It is computed anew once the run has come further. */
export class PerRun<Answer> {
  readonly #compute: (run: RunConfig) => Promise<Answer>
  readonly #known = new Map<string, { readonly version: string; readonly answer: Promise<Answer> }>()
  #last: Promise<unknown> = Promise.resolve()

  constructor(compute: (run: RunConfig) => Promise<Answer>) {
    this.#compute = compute
  }

  /** @param version changes when the run has come further */
  of(run: RunConfig, version: string): Promise<Answer> {
    const known = this.#known.get(run.name)
    if (known?.version === version) return known.answer
    const answer = this.#last.then(() => this.#compute(run))
    this.#last = answer.catch(() => {
      // Not kept: the next question may find it answered.
      this.#known.delete(run.name)
    })
    this.#known.set(run.name, { version, answer })
    return answer
  }
}

export async function evaluated(runtime: Runtime, run: RunConfig): Promise<RunEvaluations> {
  try {
    return { rounds: await evaluateRun(runtime, run), why: null }
  } catch (error) {
    if (!(error instanceof WinnowError) || error.code !== 'CONFIGURATION') throw error
    return { rounds: [], why: error.message }
  }
}
