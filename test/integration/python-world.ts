// Programs of Python on the cluster of a test.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterEach, inject } from 'vitest'
import { demoGraphs } from '../../deploy/demo/model.ts'
import { createTrainer } from '../../services/model/trainer.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import { pythonWith } from '../support/python.ts'
import type { World } from './loop-world.ts'

export const { python, missing } = pythonWith('services/trainer/python', ['confluent_kafka', 'fastavro', 'tokenizers'])

export interface Said {
  readonly step?: number
  readonly rows?: readonly number[][]
  readonly cursor?: { readonly round: number; readonly step: number; readonly sequence: number }
  readonly code?: string | null
  readonly message?: string
  readonly ids?: readonly string[]
  readonly done?: boolean
}

export const children = new Set<ReturnType<typeof spawn>>()
afterEach(() => {
  for (const child of children) child.kill('SIGKILL')
})

/** Runs a program of Python on the test's cluster. */
export async function started(
  world: World,
  program: string,
  args: readonly string[],
  more: NodeJS.ProcessEnv = {},
  cwd = process.cwd(),
) {
  const packages = ['trainer', 'runtime'].map((room) => join(import.meta.dirname, '../../services', room, 'python'))
  const env = {
    ...process.env,
    ...more,
    PYTHONPATH: packages.join(':'),
    PYTHONDONTWRITEBYTECODE: '1',
    WINNOW_BROKERS: inject('brokers').join(','),
    WINNOW_REGISTRY_URL: inject('registryUrl'),
    WINNOW_CLICKHOUSE_URL: inject('clickhouseUrl'),
    WINNOW_CLICKHOUSE_DATABASE: world.database,
  }
  const child = spawn(python!, [program, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] })
  children.add(child)
  const text = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (part: string) => {
      text[name] += part
    })
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve))
  children.delete(child)
  return { code, ...text }
}

/** Runs stream_child.py; what it said, a line each. */
export async function ran(
  world: World,
  settings: object,
  more: NodeJS.ProcessEnv = {},
): Promise<{ code: number | null; said: Said[]; stderr: string }> {
  const given = { folder: world.folder, tokenizer: join(demoGraphs, 'tokenizer.json'), ...settings }
  const child = join(import.meta.dirname, 'stream_child.py')
  const { code, stdout, stderr } = await started(world, child, [JSON.stringify(given)], more)
  const lines = stdout.split('\n').filter(Boolean)
  return { code, said: lines.map((line) => JSON.parse(line) as Said), stderr }
}

/** Any weights of the model's shape will do for rewards. */
export async function anyWeights({ model, folder }: World, { batch, context }: RunConfig['trainer']): Promise<string> {
  const path = join(folder, 'weights.safetensors')
  const options = { batch, context, learningRate: 0.1, warmupSteps: 0, totalSteps: 1 }
  const trainer = await createTrainer(model, { start: { seed: '1' }, ...options })
  await trainer.save(path)
  await trainer.close()
  return path
}
