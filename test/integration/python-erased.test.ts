import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { demoGraphs } from '../../deploy/demo/model.ts'
import { readable } from '../../services/corpus/readable.ts'
import { startRunStations } from '../../services/host/run.ts'
import { submitRun } from '../../services/runs/registry.ts'
import { closeAll } from '../../services/runtime/service.ts'
import { SelectionReader } from '../../services/selections/selection-reader.ts'
import { MasterKeys } from '../../services/texts/master-keys.ts'
import { cliOn, sayingOn } from '../support/cli.ts'
import { until } from '../support/kafka.ts'
import { pythonWith } from '../support/python.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { fail, openWorld } from './loop-world.ts'
import { anyWeights, children, missing as ofTrainer, ran, started } from './python-world.ts'

const missing = ofTrainer ?? pythonWith('services/trainer/python', ['joserfc']).missing

const title = `token stores of encrypted texts${missing === undefined ? '' : ` (skipped: ${missing})`}`

/** winnow-trainer, which looks for erasures more often than each minute. */
const following = `
import sys
from winnow_trainer import __main__
from winnow_trainer.token_store import follow
follow.LOOK_SECONDS = 0.2
__main__.main(sys.argv[1:])
`

describe.skipIf(missing !== undefined)(title, { timeout: 240_000 }, () => {
  test('an erasure reaches a store that is being filled: no byte of its documents is left, and batches are those from texts', async () => {
    const encryption = join(temporaryFolder('erased-tokens'), 'keys.json')
    MasterKeys.create(encryption, 0)
    const world = await openWorld(40, { encryption })
    const { runtime, config, model, folder } = world
    const run = world.run(
      'erased',
      {},
      {
        ...{ updateSteps: 3, steps: 3, sampleDocuments: 0 },
        trainer: { batch: 6, context: 24, reportSteps: 1, warmupSteps: 0 },
      },
    )
    await submitRun(runtime, run)
    const stations = await startRunStations(runtime, run, model, { onFailure: fail })
    const withKeys = { WINNOW_CORPUS_ENCRYPTION: encryption }
    const rowsOf = async (settings: object, env: NodeJS.ProcessEnv) => {
      const { code, said, stderr } = await ran(world, { run: run.name, ...settings }, env)
      expect(code, stderr).toBe(0)
      return said.flatMap(({ rows }) => (rows === undefined ? [] : [rows]))
    }
    const rows = await rowsOf({ weights: await anyWeights(world, run.trainer) }, withKeys)
    expect(rows).toHaveLength(3)
    const again = { leader: false, state: join(folder, 'none.json') }
    const fromTexts = () => rowsOf(again, withKeys)
    const fromStore = (store: string) => rowsOf({ ...again, store }, { WINNOW_CLICKHOUSE_URL: 'http://127.0.0.1:9' })

    const [store, later] = ['tokens', 'later'].map((name) => join(folder, name)) as [string, string]
    const fill = (into: string) => ['tokens', into, '--tokenizer', join(demoGraphs, 'tokenizer.json'), '--json']
    const filled = await started(world, '-m', ['winnow_trainer', ...fill(store), '--once'], withKeys)
    expect(JSON.parse(filled.stdout), filled.stderr).toMatchObject({ documents: 40, erased: 0 })
    expect(await fromStore(store)).toEqual(rows)
    expect(await fromTexts()).toEqual(rows)

    await using reader = await SelectionReader.open({ ...runtime, run: run.name, reader: 'test' })
    const selected = []
    for await (const id of reader.documents({ run: run.name, round: 0, index: 0 })) if (selected.push(id) === 3) break
    // The second one stays.
    const ids = [selected[0]!, selected[2]!]
    const bodies = await Promise.all(
      [...(await readable(runtime).texts(ids)).values()].map(async (text) =>
        bytesOf(await model.tokenizer.encode(text)),
      ),
    )
    const found = (store: string) => bodies.map((body) => filesWith(store, body))
    expect(found(store)).toEqual([['tokens-00000.bin'], ['tokens-00000.bin']])
    const follower = started(world, '-c', [following, ...fill(store)], withKeys)
    const said = () => JSON.parse(readFileSync(join(store, 'store.json'), 'utf8'))
    // It has looked for erasures when it started, and finds this one later.
    await world.ingest(40, 1)
    await until(() => said().files[0][0] === 41)
    const saying = sayingOn(() => cliOn(runtime, config, folder))
    // One after the other: of the second one alone ClickHouse is asked.
    for (const [n, id] of ids.entries()) {
      writeFileSync(join(folder, 'ids.txt'), `${id}`)
      expect(await saying('erase', `request-${n}`, '--ids', 'ids.txt')).toContain('the keys of 1 are destroyed')
      await until(() => said().erased === n + 1)
    }
    expect(found(store)).toEqual([[], []])
    const left = await fromTexts()
    expect(left).not.toEqual(rows)
    expect(await fromStore(store)).toEqual(left)
    for (const child of children) child.kill('SIGTERM')
    const { stdout, stderr } = await follower
    expect(JSON.parse(stdout), stderr).toMatchObject({ documents: 41, erased: 2 })
    expect(stderr).toContain('1 documents are erased now, 2 by now')

    // A store that is filled afterwards never has them.
    const after = await started(world, '-m', ['winnow_trainer', ...fill(later), '--once'], withKeys)
    expect(JSON.parse(after.stdout), after.stderr).toMatchObject({ documents: 41, erased: 2 })
    expect(found(later)).toEqual([[], []])
    expect(await fromStore(later)).toEqual(left)
    await closeAll(stations)
  })
})

/** As a store has them whose tokenizer has fewer than 65,500 tokens. */
const bytesOf = (tokens: ArrayLike<number>): Buffer => Buffer.from(Uint16Array.from(tokens).buffer)

/** The files in a folder that have these bytes. */
function filesWith(folder: string, bytes: Buffer): string[] {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((one) => one.isFile())
  return files
    .filter(({ parentPath, name }) => readFileSync(join(parentPath, name)).includes(bytes))
    .map(({ name }) => name)
}
