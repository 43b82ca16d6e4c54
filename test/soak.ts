// Faults for as long as it is told: `npm run soak` runs every case as often as a soak is to have it; `npm run soak -- --seconds 3600` goes
// through the files with ever new seeds until the time is over. Ends with 1 where something failed, and says how to repeat it.
// `npm run soak -- --named --seconds 3600` runs services on the servers that the environment names (docs/operating.md, "A soak of your servers").
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { soakNamed, verdictText } from './soak/named.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string' },
    seed: { type: 'string', default: '2' },
    named: { type: 'boolean', default: false },
    'memory-mib-per-hour': { type: 'string' },
  },
})
const seconds = values.seconds === undefined ? undefined : Number(values.seconds)
if (seconds !== undefined && !(seconds > 0)) throw new Error('--seconds is a number of seconds')

const root = join(import.meta.dirname, '..')
const faults = readdirSync(join(root, 'test/faults'))
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => `test/faults/${name}`)
const failed: string[] = []
const memoryMiBPerHour = Number(values['memory-mib-per-hour'] ?? 32)
if (!(memoryMiBPerHour >= 0)) throw new Error('--memory-mib-per-hour is a number of MiB')

/** Runs one file. @param env variables that repeat the run */
async function run(file: string, env: Record<string, string>): Promise<void> {
  const project = file.startsWith('test/faults') ? 'faults' : 'unit'
  const args = ['vitest', 'run', '--project', project, file]
  const vitest = spawn('npx', args, { cwd: root, env: { ...process.env, ...env }, stdio: 'inherit' })
  const [code] = (await once(vitest, 'exit')) as [number | null]
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`)
  if (code !== 0) failed.push([...variables, 'npx', ...args].join(' '))
}

if (values.named) {
  if (seconds === undefined) throw new Error('--named wants --seconds, how long')
  const say = (line: string) => console.error(line)
  const options = { seconds, seed: Number(values.seed), env: process.env, say }
  const verdict = await soakNamed({ ...options, tolerances: { memoryMiBPerHour } })
  console.log(verdictText(verdict))
  process.exitCode = verdict.held ? 0 : 1
} else if (seconds === undefined) {
  const env = { WINNOW_FAULT_SOAK: '1', WINNOW_FAULT_SEED: values.seed }
  for (const file of ['test/simulation/simulation.test.ts', ...faults]) await run(file, env)
} else {
  const endMs = performance.now() + 1000 * seconds
  let seed = Number(values.seed)
  for (let i = 0; performance.now() < endMs; i++) {
    await run(faults[i % faults.length]!, { WINNOW_FAULT_SEED: `${seed}` })
    if ((i + 1) % faults.length === 0) seed++
  }
}
for (const command of failed) console.error(`failed; again: ${command}`)
process.exitCode = failed.length > 0 ? 1 : 0
