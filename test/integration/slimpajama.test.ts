import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, expect, test } from 'vitest'
import { startCluster } from '../../deploy/dev/cluster.ts'
import { loadConfig } from '../../services/config/load.ts'
import { columnNames } from '../../services/corpus/columns.ts'
import { labelerVersions } from '../../services/runs/label-progress.ts'
import { createClickHouse } from '../../services/runtime/clickhouse/client.ts'
import { createLog } from '../../services/runtime/log.ts'
import { type Ended, winnow } from '../services/cli/winnow.ts'

const shards = [0, 1, 2, 3].map((n) => resolve('..', 'shared', 'data', `mini-slimpajama-${n}.jsonl.gz`))
const absent = !shards.every((shard) => existsSync(shard))

const folder = mkdtempSync(join(tmpdir(), 'winnow-slimpajama-'))
const dataFolder = join(folder, 'data')
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** What is in the files: the number of rows by their domain's name. */
function domainsOfFiles(): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const shard of shards) {
    for (const line of gunzipSync(readFileSync(shard)).toString('utf8').trimEnd().split('\n')) {
      const { meta } = JSON.parse(line) as { meta: { redpajama_set_name: string } }
      const name = meta.redpajama_set_name.replace('RedPajama', '').replace('Github', 'GitHub')
      counts[name] = (counts[name] ?? 0) + 1
    }
  }
  return counts
}

/** What is in ClickHouse, once the command has ended: documents, those with a label of every actor, and their domains. */
async function inClickHouse() {
  const config = loadConfig({ folder, dataFolder, env: {} })
  const versions = await labelerVersions(config)
  const cluster = await startCluster({ dataFolder, env: {}, log: createLog('test', 'warn'), progress: () => {} })
  const clickHouse = await createClickHouse({ url: cluster.clickhouseUrl })
  try {
    const label = Object.fromEntries(
      config.actors.map(({ name: actor }) => [actor, columnNames({ actor, version: versions.get(actor)! }).label]),
    )
    const all = Object.values(label).map((column) => `isNotNull(${column})`)
    const rows = await clickHouse.sql.query<{ domain: number; documents: string; complete: string }>(
      `SELECT ${label.domain} AS domain, toString(count()) AS documents, toString(countIf(${all.join(' AND ')})) AS complete
       FROM corpus FINAL GROUP BY domain`,
    )
    const names = config.actors.find(({ name }) => name === 'domain')!.subcategories
    const [texts] = await clickHouse.sql.query<{ n: string }>('SELECT toString(count()) AS n FROM documents FINAL')
    return {
      texts: Number(texts!.n),
      documents: Object.fromEntries(rows.map((row) => [names[row.domain], Number(row.documents)])),
      complete: rows.reduce((sum, row) => sum + Number(row.complete), 0),
      actors: Object.keys(label).length,
    }
  } finally {
    await clickHouse.close()
    await cluster.stop()
  }
}

const ingest = (): Promise<Ended> => winnow(['ingest', ...shards, '--data', dataFolder], {}, folder)

test.skipIf(absent)(
  'SlimPajama’s own files are fully labelled with the default configuration, and a second ingest adds nothing (skipped without ../shared/data)',
  { timeout: 600_000 },
  async () => {
    const domains = domainsOfFiles()
    const first = await ingest()
    expect(first.code, first.stderr).toBe(0)
    expect(first.stdout).toContain('14283 documents written, 0 rows rejected, 0 of 4 sources skipped')
    expect(first.stderr).toContain('14283 of 14283 documents are labelled by every actor')
    expect(await inClickHouse()).toEqual({ texts: 14_283, documents: domains, complete: 14_283, actors: 3 })

    const second = await ingest()
    expect(second.code, second.stderr).toBe(0)
    expect(second.stdout).toContain('0 documents written, 0 rows rejected, 4 of 4 sources skipped')
    expect(await inClickHouse()).toEqual({ texts: 14_283, documents: domains, complete: 14_283, actors: 3 })
  },
)
