// A command of the command line as a process of its own, to be killed. Takes CommandChildOptions as JSON.

import type { Addresses } from '../../services/connections/connections.ts'
import { childOptions, say, watchedKafka } from './crash.ts'
import type { ChildOptions } from './service.ts'

export interface CommandChildOptions extends ChildOptions {
  readonly addresses: Addresses
  readonly args: readonly string[]
  readonly folder: string
  /** winnow.yaml, for what the command asks of it. */
  readonly config: string
  /** File of master keys. */
  readonly encryption: string
}

const options = childOptions<CommandChildOptions>()

const { buildProgram, runProgram } = await import('../../services/cli/program.ts')
const { loadConfig } = await import('../../services/config/load.ts')
const { openRuntime } = await import('../../services/connections/connections.ts')
const { failpoint } = await import('../../services/runtime/failpoints.ts')
const { createLog } = await import('../../services/runtime/log.ts')
type CliContext = import('../../services/cli/context.ts').CliContext

const { addresses, encryption, folder } = options
const runtime = await openRuntime(addresses, createLog('command-child', 'warn'), { encryption })

// Between any two changes: of ClickHouse, of the file, and (in watchedKafka) of the log.
const { sql } = runtime.clickHouse
const { masterKeys } = runtime.texts
for (const name of ['insert', 'command'] as const) {
  const real = sql[name].bind(sql) as (...values: unknown[]) => Promise<void>
  sql[name] = async (...values: unknown[]) => {
    failpoint(`store before ${name}`)
    await real(...values)
    failpoint(`store after ${name}`)
  }
}
for (const name of ['addEpoch', 'dropOlder'] as const) {
  const real = masterKeys![name].bind(masterKeys!) as (nowMs: number) => never
  masterKeys![name] = (nowMs?: number) => {
    failpoint(`store before ${name}`)
    const result = real(nowMs!)
    failpoint(`store after ${name}`)
    return result
  }
}

const context = {
  ...{ env: {}, folder, stdout: process.stdout, stderr: process.stderr },
  exitCode: (code: number) => {
    process.exitCode = code
  },
  connect: async () => ({
    config: loadConfig({ file: options.config, env: {} }),
    runtime: { ...runtime, kafka: watchedKafka(runtime.kafka) },
    [Symbol.asyncDispose]: () => runtime.close(),
  }),
} as unknown as CliContext

const code = await runProgram(await buildProgram(context, {}, options.args), options.args, context)
if (code !== 0) process.exit(code)
say('done')
process.exit()
