import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { startCluster } from '../../deploy/dev/cluster.ts'

/** `winnow run KIND` in a process of its own, as on a cluster, once it runs. */
export async function startStation(
  kind: 'duplicates' | 'decontamination',
  { brokers, registryUrl, clickhouseUrl }: Awaited<ReturnType<typeof startCluster>>,
  folder: string,
): Promise<ChildProcess> {
  const endpoints = {
    WINNOW_BROKERS: brokers.join(','),
    WINNOW_REGISTRY_URL: registryUrl,
    WINNOW_CLICKHOUSE_URL: clickhouseUrl,
  }
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../deploy/bin.mjs'), 'run', kind], {
    cwd: folder,
    env: { ...process.env, ...endpoints, WINNOW_METRICS_PORT: '0' },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  for await (const line of createInterface({ input: child.stderr })) if (line.startsWith('running:')) break
  child.stderr.resume()
  return child
}

export async function stopStation(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM')
  await once(child, 'exit')
}
