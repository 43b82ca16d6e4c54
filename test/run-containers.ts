// `npm run test:containers`: the integration tests against servers in containers, started by testcontainers (test/support/containers.ts), and the tests
// of what runs in containers (test/containers). Takes vitest's arguments; default: all of them. Where no container engine answers it says so and ends with 0;
// WINNOW_TEST_CONTAINERS=required makes that a failure.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { leftWithoutEngine } from './support/servers.ts'

const left = await leftWithoutEngine(process.env)
if (left !== undefined) {
  console.log(left.line)
  process.exit(left.code)
}
const args = ['vitest', 'run', '--project', 'integration', '--project', 'containers', ...process.argv.slice(2)]
const env = { ...process.env, WINNOW_TEST_SERVERS: 'containers' }
const vitest = spawn('npx', args, { cwd: join(import.meta.dirname, '..'), env, stdio: 'inherit' })
const [code] = (await once(vitest, 'exit')) as [number | null]
process.exit(code ?? 1)
