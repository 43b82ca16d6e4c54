import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, inject, test } from 'vitest'
import { type Reward, type RewardRequest, runTopics } from '../../schemas/index.ts'
import { startRunStations, startTrainer } from '../../services/host/run.ts'
import { readRecordedRun, readTopic } from '../../services/runs/recorded.ts'
import { submitRun } from '../../services/runs/registry.ts'
import { closeAll } from '../../services/runtime/service.ts'
import { isSealed } from '../../services/texts/envelope.ts'
import { MasterKeys } from '../../services/texts/master-keys.ts'
import { cliOn, sayingOn } from '../support/cli.ts'
import { until } from '../support/kafka.ts'
import { pythonWith } from '../support/python.ts'
import { temporaryFolder } from '../support/temporary.ts'
import { fail, openWorld } from './loop-world.ts'
import { torchWorkerIn } from './torch-world.ts'

const modules = ['torch', 'transformers', 'confluent_kafka', 'fastavro', 'tokenizers', 'joserfc']
const { python, missing } = pythonWith('services/influence/torch', modules)
const title = `the PyTorch worker over encrypted texts${missing === undefined ? '' : ` (skipped: ${missing})`}`

describe.skipIf(missing !== undefined)(title, { timeout: 300_000 }, () => {
  test('ends without the keys, and with them answers all of a run, an erased document as one without words', async () => {
    const encryption = join(temporaryFolder('torch-encrypted'), 'keys.json')
    MasterKeys.create(encryption, 0)
    const { runtime, config, folder, database, model, run: runOf } = await openWorld(30, { encryption })
    const run = runOf('sealed-torch', { budget: { documents: 10 } })
    await submitRun(runtime, run)
    const services = await startRunStations(runtime, run, model, { influenceWorkers: 0, onFailure: fail })
    const trainer = await startTrainer(runtime, run, model, { onFailure: fail })
    services.push(trainer)
    const topics = runTopics(run.name)
    const requested = async () =>
      (await readTopic(runtime, topics.rewardRequests.name)).map(({ value }) => value as RewardRequest)
    await until(async () => (await requested()).length > 0)
    const requests = await requested()
    expect(requests.map(({ text }) => isSealed(text))).toEqual(requests.map(() => true))

    const clickHouse = { WINNOW_CLICKHOUSE_URL: inject('clickhouseUrl'), WINNOW_CLICKHOUSE_DATABASE: database }
    const without = await torchWorkerIn({}, python!, run).exited
    expect(without.code, without.stderr).toBe(3)
    expect(without.stderr).toContain('is encrypted, and no keys are named')
    const gone = join(folder, 'none.json')
    const ofNoFile = await torchWorkerIn({ ...clickHouse, WINNOW_CORPUS_ENCRYPTION: gone }, python!, run).exited
    expect(ofNoFile.code, ofNoFile.stderr).toBe(3)
    expect(ofNoFile.stderr).toContain(`${gone} is no file of master keys`)

    const erased = requests[0]!.docId
    writeFileSync(join(folder, 'ids.txt'), `${erased}`)
    const saying = sayingOn(() => cliOn(runtime, config, folder))
    expect(await saying('erase', 'request-1', '--ids', 'ids.txt')).toContain('the keys of 1 are destroyed')
    const worker = torchWorkerIn({ ...clickHouse, WINNOW_CORPUS_ENCRYPTION: encryption }, python!, run)
    await trainer.done
    await closeAll(services)
    worker.process.kill('SIGTERM')
    const { code, stderr } = await worker.exited
    expect(code, stderr).toBe(0)
    expect(stderr).toContain('1 erased documents, taken for empty ones')

    expect((await readRecordedRun(runtime, run.name)).manifests).toHaveLength(3)
    const rewards = (await readTopic(runtime, topics.rewards.name)).map(({ value }) => value as Reward)
    const identity = ({ round, actor, docId }: Pick<Reward, 'round' | 'actor' | 'docId'>) =>
      `${round}/${actor}/${docId}`
    expect(rewards.map(identity).sort()).toEqual((await requested()).map(identity).sort())
    const ofErased = new Set(
      rewards.filter(({ docId }) => docId === erased).map(({ round, reward }) => `${round}/${reward}`),
    )
    expect(ofErased.size).toBe(new Set(rewards.filter(({ docId }) => docId === erased).map(({ round }) => round)).size)
  })
})
