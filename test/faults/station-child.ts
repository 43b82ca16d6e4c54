// A station as a process of its own, to be killed or stopped at a failpoint. Takes StationOptions as JSON; says on stdout what happens.

import type { Station } from '../../topologies/dataflow.ts'
import { childOptions, say, watched } from './crash.ts'
import type { StationChildOptions } from './stations.ts'

const options = childOptions<StationChildOptions>()

// Loaded when the compile cache is on.
const { openRuntime } = await import('../../services/connections/connections.ts')
const { runUntilSignal } = await import('../../services/runtime/lifecycle.ts')
const { createLog } = await import('../../services/runtime/log.ts')
const { runStation } = await import('../../services/runtime/station.ts')
const { corpusStations, runStations } = await import('../../topologies/dataflow.ts')
const { parseRunConfig } = await import('../../topologies/run-config.ts')
const { influence, labelModel, subcategories } = await import('./corpus.ts')
const { consolePorts, groupOf } = await import('./stations.ts')

process.exitCode = await runUntilSignal(async (started, _signal, fail) => {
  const runtime = await openRuntime(options.addresses, createLog('fault-child', 'warn'))
  started.defer(() => runtime.close())
  const run = options.run === undefined ? undefined : parseRunConfig(JSON.parse(options.run))
  const store = watched('store', runtime.store)
  const start = async <P>(stations: readonly Station<P>[], ports: P) => {
    const station = stations.find(({ name }) => name === options.station)!
    return await runStation({
      ...runtime,
      groupId: groupOf(station.name, options.group),
      station,
      build: (output) => station.build(ports, output),
      onFailure: fail,
    })
  }
  const handle =
    run === undefined
      ? await start(corpusStations(Object.keys(subcategories)), { store, labelModel })
      : await start(runStations(run), { store, influence, console: consolePorts() })
  started.defer(() => handle.close())
  say('ready')
})
process.exit()
