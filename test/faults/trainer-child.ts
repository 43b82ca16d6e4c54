// The reference trainer with its real model. Takes TrainerChildOptions as JSON.
import type { Addresses } from '../../services/connections/connections.ts'
import { childOptions, say } from './crash.ts'
import type { ChildOptions } from './service.ts'

export interface TrainerChildOptions extends ChildOptions {
  readonly addresses: Addresses
  /** A run's configuration as JSON; its checkpoints folder is this trainer's own. */
  readonly run: string
}

const options = childOptions<TrainerChildOptions>()

const { startTrainer } = await import('../../services/host/run.ts')
const { openRuntime } = await import('../../services/connections/connections.ts')
const { openModel } = await import('../../services/model/model.ts')
const { createLog } = await import('../../services/runtime/log.ts')
const { parseRunConfig } = await import('../../topologies/run-config.ts')

const run = parseRunConfig(JSON.parse(options.run))
const runtime = await openRuntime(options.addresses, createLog('trainer-child', 'warn'))
const model = await openModel({ graphs: run.model })
const trainer = await startTrainer(runtime, run, model, {
  onFailure: (error) => {
    throw error
  },
})
await trainer.done
say('done')
await trainer.close()
await model.close()
await runtime.close()
