/**
 * What a person waits for at the command line: wall clock and CPU of `winnow --help`, `--version`, and of `status`, `topics` and `doctor` against a
 * system that runs, each against its limit. CPU is what other work on the machine disturbs least.
 * Run by hand on a quiet machine of two cores: npx node test/bench/cli.ts. Ends with 1 where the CPU is over a limit.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startCluster } from '../../deploy/dev/cluster.ts'
import { loadConfig } from '../../services/config/load.ts'
import { openRuntime } from '../../services/connections/connections.ts'
import { startCorpus } from '../../services/host/corpus.ts'
import { createLog } from '../../services/runtime/log.ts'
import { closeAll } from '../../services/runtime/service.ts'

/** Seconds on two cores that do nothing else. */
const limits: readonly (readonly [args: string, seconds: number])[] = [
  ['--help', 0.4],
  ['--version', 0.4],
  ['status', 1.5],
  ['status --json', 1.5],
  ['doctor', 3],
]
const times = 5
const main = join(import.meta.dirname, '../../deploy/main.ts')
const log = createLog('bench', 'error')

interface Measured {
  readonly wall: number
  /** User and system time of the process, of which bash's `time` tells. */
  readonly cpu: number
}

async function measure(args: string, folder: string): Promise<Measured> {
  const line = `TIMEFORMAT='%R %U %S'; time "${process.execPath}" "${main}" ${args} >/dev/null 2>"${folder}/stderr"`
  const child = spawn('bash', ['-c', line], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
  let text = ''
  child.stderr.on('data', (part) => (text += part))
  const code = await new Promise<number | null>((resolve) => child.once('exit', resolve))
  // doctor ends with 3 where it finds something, such as a clock.
  if (code !== 0 && !(args === 'doctor' && code === 3))
    throw new Error(`winnow ${args}: exit code ${code}: ${readFileSync(join(folder, 'stderr'), 'utf8')}`)
  const [wall, user, system] = text.trim().split(' ').map(Number)
  return { wall: wall!, cpu: user! + system! }
}

const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!

const folder = mkdtempSync(join(tmpdir(), 'winnow-bench-'))
try {
  const config = loadConfig({ folder, env: {}, dataFolder: join(folder, '.winnow') })
  const cluster = await startCluster({ dataFolder: config.dataFolder, log })
  const runtime = await openRuntime(cluster, log)
  const { services } = await startCorpus(runtime, config, (error) => {
    throw error
  })
  for (const [args, limit] of limits) {
    const all: Measured[] = []
    for (let i = 0; i < times; i++) all.push(await measure(args, folder))
    const cpu = median(all.map((one) => one.cpu))
    const wall = median(all.map((one) => one.wall))
    const verdict = cpu <= limit ? 'within' : 'OVER'
    console.log(`winnow ${args}: ${wall.toFixed(2)} s, ${cpu.toFixed(2)} s of CPU; ${verdict} its limit of ${limit} s`)
    if (cpu > limit) process.exitCode = 1
  }
  await closeAll(services)
  await runtime.close()
  await cluster.stop()
} finally {
  rmSync(folder, { recursive: true, force: true })
}
