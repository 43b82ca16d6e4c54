import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { asDocumentId } from '../../../schemas/index.ts'
import { loadConfig } from '../../../services/config/load.ts'
import { ClickHouseStore } from '../../../services/corpus/clickhouse-store.ts'
import { ingest } from '../../../services/ingest/ingest.ts'
import { noProgress } from '../../../services/ingest/progress.ts'
import { labelerVersions, waitForLabels } from '../../../services/runs/label-progress.ts'
import { createClickHouse } from '../../../services/runtime/clickhouse/client.ts'
import { migrate } from '../../../services/runtime/clickhouse/migrate.ts'
import { fillByParity, memoryRuntime } from '../../support/memory-runtime.ts'
import { temporaryFolder } from '../../support/temporary.ts'

test('who waits for labels counts what the sink wrote while it was asked how far it had come', async () => {
  const folder = temporaryFolder('label-progress')
  const clickHouse = await createClickHouse({ url: `chdb:${join(folder, 'clickhouse')}` })
  onTestFinished(() => clickHouse.close())
  await migrate(clickHouse.sql)
  const store = new ClickHouseStore(clickHouse.sql)
  const runtime = { ...(await memoryRuntime(store)), clickHouse }
  const file = join(folder, 'a.jsonl')
  writeFileSync(file, '{"text":"a text"}\n'.repeat(4))
  await ingest({ ...runtime, paths: [file], clock: () => 0, progress: noProgress })

  const configFile = join(folder, 'winnow.yaml')
  writeFileSync(configFile, 'actors: {parity: {subcategories: [a, b], labeler: {kind: metadata}}}\n')
  const config = loadConfig({ file: configFile, env: {} })
  const version = (await labelerVersions(config)).get('parity')!
  const label = (n: number) => ({
    docId: asDocumentId(BigInt(n)),
    actor: 'parity',
    subcategory: n % 2,
    score: 1,
    tokens: 10,
    version,
  })
  const committed = store.committed.bind(store)
  vi.spyOn(store, 'committed').mockImplementationOnce(async () => {
    await fillByParity(store, 4)
    await store.addLabels([0, 1, 2, 3].map((n) => ({ value: label(n), partition: 0, offset: 4 + n })))
    return await committed()
  })
  expect(await waitForLabels(runtime, config, { patienceMs: 2000 })).toEqual({
    documents: 4,
    complete: 4,
    refused: 0,
    done: true,
  })
}, 30_000)
