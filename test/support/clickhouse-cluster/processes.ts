import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { choosePorts } from '../../../deploy/dev/ports.ts'
import { type ClickHouseCluster, untilAnswers } from './cluster.ts'
import { clusterName, clusterXml, type Node } from './configuration.ts'
import { startDdlFront } from './ddl-front.ts'

/** Why servers cannot be started from chDB's library; undefined if they can. */
export function processesMissing(): string | undefined {
  if (!existsSync(library())) return `no ${library()}`
  return spawnSync('python3', ['-c', 'import ctypes']).status === 0 ? undefined : 'no python3 with ctypes'
}

const library = (): string => {
  const require = createRequire(createRequire(import.meta.url).resolve('chdb'))
  try {
    return join(dirname(require.resolve(`@chdb/lib-${process.platform}-${process.arch}-gnu`)), 'libchdb.so')
  } catch {
    return 'libchdb.so'
  }
}

/** Shards of one server each, as processes of chDB's library (server.py). They have no Keeper, so their tables are not replicated. */
export async function startProcesses(shards: number): Promise<ClickHouseCluster> {
  const folder = mkdtempSync(join(tmpdir(), 'winnow-clickhouse-cluster-'))
  const children: ChildProcess[] = []
  const end = async () => {
    await Promise.all(
      children.map((child) => {
        const ended = new Promise((resolve) => child.once('exit', resolve))
        return child.exitCode === null && child.kill() ? ended : undefined
      }),
    )
    rmSync(folder, { recursive: true })
  }
  try {
    const names = Array.from({ length: shards }, (_, i) => [`tcp${i}`, `http${i}`]).flat()
    const ports = await choosePorts(join(folder, 'ports.json'), names)
    const nodes = Array.from(
      { length: shards },
      (_, i): Node => ({ host: '127.0.0.1', tcpPort: ports[`tcp${i}`]!, shard: i + 1, replica: 'a' }),
    )
    const urls = nodes.map((_, i) => `http://127.0.0.1:${ports[`http${i}`]}`)
    for (const [i, node] of nodes.entries()) {
      const file = join(folder, `server-${i}.xml`)
      writeFileSync(
        file,
        `<clickhouse><listen_host>127.0.0.1</listen_host>
  <tcp_port>${node.tcpPort}</tcp_port><http_port>${ports[`http${i}`]}</http_port>${clusterXml(nodes, node)}
</clickhouse>`,
      )
      const program = join(import.meta.dirname, 'server.py')
      children.push(
        spawn('python3', [program, library(), file, join(folder, `data-${i}`)], {
          stdio: ['pipe', 'ignore', 'ignore'],
        }),
      )
    }
    await Promise.all(urls.map(untilAnswers))
    const front = await startDdlFront(urls)
    return {
      url: front.url,
      cluster: clusterName,
      shards,
      stop: async () => {
        await front.close()
        await end()
      },
    }
  } catch (error) {
    await end()
    throw error
  }
}
