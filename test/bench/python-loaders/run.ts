/**
 * SelectedStream beside other loaders for PyTorch, on the same documents in one run: from ClickHouse and from a token store, with Hugging Face
 * datasets and StatefulDataLoader, MosaicML Streaming and litdata (loaders.py); then what a step waits, how soon a stream opens, and switches of
 * rounds (steps.py). Documents are ingested, labelled and selected as always.
 * Run by hand on a quiet machine: node test/bench/python-loaders/run.ts [documents] [loaders|steps] [texts|tokens]. Makes its own environment with PyTorch
 * in a temporary folder (several GB); PYTHON names one that has it already. With `hold` it prints the environment of its servers, for a profiler, and
 * waits for the end of its input.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { demoGraphs } from '../../../deploy/demo/model.ts'
import { startCluster } from '../../../deploy/dev/cluster.ts'
import { createLog } from '../../../services/runtime/log.ts'
import { closeAll } from '../../../services/runtime/service.ts'
import { start } from '../scale/children.ts'
import { openBenchWorld } from './world.ts'

const documents = Number(process.argv[2] ?? 20_000)
const part = process.argv[3]
const folder = mkdtempSync(join(tmpdir(), 'winnow-bench-'))
const here = import.meta.dirname

function python(): string {
  if (process.env.PYTHON !== undefined) return process.env.PYTHON
  const made = join(folder, 'python')
  execFileSync('python3', ['-m', 'venv', made])
  const pip = (...args: string[]) =>
    execFileSync(join(made, 'bin/python'), ['-m', 'pip', 'install', '-q', ...args], { stdio: 'inherit' })
  pip('-r', join(here, 'requirements.txt'), join(here, '../../../services/trainer/python'))
  pip('--no-deps', 'mosaicml-streaming==0.13.0')
  return join(made, 'bin/python')
}

const server = start('server.ts', join(folder, 'clickhouse'))
try {
  const interpreter = python()
  const [clickhouseUrl] = await new Promise<[string]>((resolve) => server.lines.once('line', (line) => resolve([line])))
  const clickhouse = { WINNOW_CLICKHOUSE_URL: clickhouseUrl }
  const cluster = await startCluster({
    dataFolder: join(folder, 'data'),
    log: createLog('bench', 'warn'),
    env: { ...process.env, ...clickhouse },
  })
  try {
    const { brokers, registryUrl } = cluster
    const services = join(here, '../../../services')
    const env = {
      ...clickhouse,
      PYTHONPATH: ['trainer', 'runtime'].map((room) => join(services, room, 'python')).join(':'),
      WINNOW_BROKERS: brokers.join(','),
      WINNOW_REGISTRY_URL: registryUrl,
      HF_HOME: join(folder, 'huggingface'),
      HF_HUB_OFFLINE: '1',
    }
    // Beside the stations, which are in this process.
    const run = async (program: string, ...args: string[]) => {
      const all = [join(here, program), ...args, join(demoGraphs, 'tokenizer.json'), ...process.argv.slice(4)]
      const child = spawn(interpreter, all, { stdio: 'inherit', cwd: folder, env: { ...process.env, ...env } })
      const [status] = await once(child, 'exit')
      if (status !== 0) process.exitCode = 1
    }
    const world = await openBenchWorld({ brokers, registryUrl, clickhouseUrl }, folder, documents)
    // Nothing else runs beside the loaders.
    await closeAll(await world.select('loaders', { updateSteps: 1_000_000, steps: 1_000_000 }))
    const lines = join(folder, 'selected.jsonl')
    await world.write('loaders', lines)
    const trainer = { batch: 8, context: 64, switch: { ready: 10 } }
    const stations = await world.select('rounds', { updateSteps: 40, steps: 200, trainer })
    if (part === 'hold') {
      console.log(JSON.stringify({ ...env, FOLDER: folder }))
      await once(process.stdin.resume(), 'end')
    }
    if (part === undefined || part === 'steps') await run('steps.py', String(documents))
    await closeAll(stations)
    await world.close()
    if (part === undefined || part === 'loaders') await run('loaders.py', 'loaders', lines)
  } finally {
    await cluster.stop()
  }
} finally {
  await server.stop()
  rmSync(folder, { recursive: true, force: true })
}
