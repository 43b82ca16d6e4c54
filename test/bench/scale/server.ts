/** ClickHouse on a folder, in a process of its own: what is measured is the memory of the console alone. Prints its address. */
import { ChdbEngine } from '../../../services/runtime/clickhouse/engine.ts'
import { startFront } from '../../../services/runtime/clickhouse/front.ts'

const engine = await ChdbEngine.open(process.argv[2]!)
const front = await startFront(engine, 'bench')
console.log(front.address)
process.stdin.on('end', async () => {
  await front.close()
  await engine.close()
  process.exit()
})
process.stdin.resume()
