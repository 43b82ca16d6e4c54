// A station as a process of its own, to be killed or stopped at a crash point. Takes StationOptions as JSON; says on stdout what happens.
import { childOptions, say, watched } from './crash.ts'
import type { StationChildOptions } from './stations.ts'

const options = childOptions<StationChildOptions>()

// Loaded when the compile cache is on.
const { portsOf } = await import('../../services/host/corpus.ts')
const { openRuntime } = await import('../../services/connections/connections.ts')
const { runUntilSignal } = await import('../../services/runtime/lifecycle.ts')
const { createLog } = await import('../../services/runtime/log.ts')
const { runStation } = await import('../../services/runtime/station.ts')
const { corpusStations, runStations } = await import('../../topologies/dataflow.ts')
const { parseRunConfig } = await import('../../topologies/run-config.ts')
const { influence, labelModel, subcategories } = await import('./corpus.ts')
const { consolePorts, stationOptions } = await import('./stations.ts')

process.exitCode = await runUntilSignal(async (_signal, fail) => {
  const runtime = await openRuntime(options.addresses, createLog('fault-child', 'warn'))
  const run = options.run === undefined ? undefined : parseRunConfig(JSON.parse(options.run))
  const stations = run === undefined ? corpusStations(Object.keys(subcategories)) : runStations(run)
  const station = stations.find(({ name }) => name === options.station)!
  const store = watched('store', runtime.store)
  const ports = portsOf({ store, influence, labelModel, ...(run !== undefined && { console: consolePorts(run) }) })
  const handle = await runStation({
    ...runtime,
    ...stationOptions(station.name, options.group),
    station,
    build: (output) => station.build(ports, output),
    onFailure: fail,
  })
  say('ready')
  return [runtime, handle]
})
process.exit()
