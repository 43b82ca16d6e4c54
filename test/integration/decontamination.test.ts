import { generateKeyPairSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { asDocumentId, type Manifest } from '../../schemas/index.ts'
import { startDecontamination } from '../../services/host/decontamination.ts'
import { startRunStations, startTrainer } from '../../services/host/run.ts'
import { explainDocument } from '../../services/runs/explain.ts'
import { readManifests } from '../../services/runs/recorded.ts'
import { submitRun } from '../../services/runs/registry.ts'
import { replayRun } from '../../services/runs/replay/changes.ts'
import { replay } from '../../services/runs/replay/replay.ts'
import { closeAll } from '../../services/runtime/service.ts'
import { cliOn } from '../support/cli.ts'
import { until } from '../support/kafka.ts'
import { fail, openWorld } from './loop-world.ts'

const rounds = 4

test('a set that is added to a live run takes documents out from the next round on, tells who had read them, and replays to the bit', async () => {
  const world = await openWorld(60)
  const { runtime, config, folder, model } = world
  const winnow = cliOn(runtime, config, folder)
  onTestFinished(async () => {
    await winnow('eval-set', 'remove', 'leaked')
  })
  const run = world.run(
    'clean',
    { budget: { documents: 40 }, repetitionDecay: 0.5 },
    { updateSteps: 2, steps: 2 * rounds },
  )
  await submitRun(runtime, run)
  const services = await startRunStations(runtime, run, model, { onFailure: fail })
  onTestFinished(() => closeAll(services))
  await until(async () => (await readManifests(runtime, run.name)).length === 1)
  const idsOf = async (round: number) => {
    const { stdout } = await winnow('select', '--run', run.name, '--round', `${round}`)
    return stdout
      .trim()
      .split('\n')
      .map((id) => asDocumentId(BigInt(id)))
  }

  // Three documents of the first selection, in other letters, and one that is too short.
  const leaked = (await idsOf(0)).slice(0, 3)
  const texts = await runtime.store.texts(leaked)
  const items = [...leaked.map((id) => texts.get(id)!.toUpperCase()), 'too short']
  writeFileSync(join(folder, 'leaked.jsonl'), items.map((question) => `${JSON.stringify({ question })}\n`).join(''))
  expect(await winnow('eval-set', 'add', 'leaked', join(folder, 'leaked.jsonl'))).toMatchObject({
    code: 5,
    stderr: expect.stringContaining('leaked.jsonl:1: has no text in text'),
  })
  const add = ['eval-set', 'add', 'leaked', join(folder, 'leaked.jsonl'), '--field', 'question', '--by', 'somebody']
  const added = await winnow(...add)
  expect([added.code, added.stderr]).toEqual([0, expect.stringContaining('3 items of leaked; 1 are too short')])
  expect((await winnow(...add)).stderr).toContain('leaked is recorded already')
  expect((await winnow('eval-set', 'list')).stdout).toMatch(/leaked +4 +13 +0\.5 +0 +somebody +0% compared/)
  const nobody = (await winnow('status')).stdout
  expect(nobody).toContain('evaluation sets: 1, 0% of the documents are compared with them')
  expect(nobody).toContain('no decontamination is connected')

  // The trainer asks for round 1, which waits until somebody compares.
  const trainer = await startTrainer(runtime, run, model, { onFailure: fail })
  const decontamination = await startDecontamination(runtime, fail)
  services.push(trainer, decontamination)
  await trainer.done
  const manifests: Manifest[] = await readManifests(runtime, run.name)
  expect(manifests).toHaveLength(rounds)
  const [before, ...after] = await Promise.all(manifests.map(({ round }) => idsOf(round)))
  expect(before).toEqual(expect.arrayContaining(leaked))
  for (const ids of after) expect(ids.filter((id) => leaked.includes(id))).toEqual([])

  expect((await winnow('eval-set', 'list')).stdout).toMatch(/leaked +4 +13 +0\.5 +3 +somebody +compared/)
  const compared = (await winnow('status')).stdout
  expect(compared).toContain('evaluation sets: 1, 100% of the documents are compared with them')
  expect(compared).not.toContain('no decontamination')
  expect((await winnow('topology', '--run', run.name)).stdout).toContain('\ndecontamination: ')
  const matches = (await winnow('eval-set', 'matches', 'leaked', '--json')).stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(matches.slice(0, 3).map(({ docId, span }) => [BigInt(docId), span.length > 40])).toEqual(
    leaked.toSorted((a, b) => (a < b ? -1 : 1)).map((id) => [id, true]),
  )
  expect(matches[3]).toMatchObject({
    run: run.name,
    readings: expect.arrayContaining([expect.objectContaining({ round: 0 })]),
  })
  expect((await winnow('eval-set', 'matches', 'leaked')).stdout).toContain(
    `run ${run.name} had read 3 of them, in rounds 0; checkpoints from step`,
  )
  const { explanations } = (await explainDocument(runtime, run, leaked[0]!))!
  expect(explanations.map(({ verdict }) => verdict === 'excluded')).toEqual([false, true, true, true])
  expect(explanations[1]!.flip).toContain('leaked')

  // Two other documents are asked to be forgotten once the run is over: the receipt says who had read them.
  const asked = after[0]!.slice(0, 2)
  writeFileSync(join(folder, 'ids.txt'), `${asked.join('\n')}\n12345\n`)
  const erased = await winnow('erase', 'request', '--ids', 'ids.txt', '--by', 'somebody', '--json')
  expect([erased.code, erased.stderr]).toEqual([0, '1 ids are not in the corpus: 12345\n'])
  const receipt = JSON.parse(erased.stdout)
  expect(receipt.documents.map(({ docId, by }: { docId: string; by: string }) => [BigInt(docId), by])).toEqual(
    asked.toSorted((a, b) => (a < b ? -1 : 1)).map((id) => [id, 'somebody']),
  )
  const [ofRun] = receipt.runs
  expect(ofRun).toMatchObject({ run: run.name, outFromRound: null })
  expect(ofRun.readings.filter(({ round }: { round: number }) => round === 1)).toHaveLength(2)
  expect(ofRun.checkpoints.length).toBeGreaterThan(0)
  expect((await winnow('erase', 'request')).stdout).toContain(`run ${run.name}: they are out from its next round on`)
  const keys = generateKeyPairSync('ed25519')
  const [key, publicKey] = ['key.pem', 'public.pem'].map((name) => join(folder, name)) as [string, string]
  writeFileSync(key, keys.privateKey.export({ type: 'pkcs8', format: 'pem' }))
  writeFileSync(publicKey, keys.publicKey.export({ type: 'spki', format: 'pem' }))
  const file = join(folder, 'receipt.json')
  expect(await winnow('erase', 'request', '--out', file, '--key', key)).toMatchObject({ code: 0, stdout: '' })
  const { atMs: _, ...written } = JSON.parse(readFileSync(file, 'utf8'))
  expect({ ...receipt, ...written }).toEqual(receipt)
  expect((await winnow('verify', file, '--key', publicKey)).code).toBe(0)
  writeFileSync(file, readFileSync(file, 'utf8').replace('somebody', 'nobody'))
  expect((await winnow('verify', file, '--key', publicKey)).code).toBe(6)
  const spdx = join(folder, 'spdx.json')
  const summary = ['summary', '--run', run.name, '--format', 'spdx', '--out', spdx, '--key', key]
  expect(await winnow(...summary)).toMatchObject({ code: 0, stdout: '' })
  expect((await winnow('verify', spdx, '--key', publicKey)).code).toBe(0)
  const bytes = readFileSync(spdx, 'utf8')
  expect(JSON.parse(bytes)['@graph'][1]).toMatchObject({
    type: 'SpdxDocument',
    name: expect.stringContaining(run.name),
  })
  await winnow(...summary)
  expect(readFileSync(spdx, 'utf8')).toBe(bytes)
  const other = world.run('after', { budget: { documents: 60 } })
  await submitRun(runtime, other)
  services.push(...(await startRunStations(runtime, other, model, { onFailure: fail })))
  await until(async () => (await readManifests(runtime, other.name)).length === 1)
  const [of] = await readManifests(runtime, other.name)
  expect(of!.documents).toBe(60 - leaked.length - asked.length)
  expect(JSON.parse((await winnow('erase', 'request', '--json')).stdout).runs).toMatchObject([
    { run: run.name, outFromRound: null },
    { run: other.name, outFromRound: 0, readings: [] },
  ])
  expect((await winnow('erase', 'ledgers', '--where', 'meta.kind=ledger')).stdout).toContain(
    '20 documents are out by request ledgers',
  )
  expect((await winnow('erase', 'ledgers', '--lift')).stderr).toBe('20 exclusions of ledgers are lifted\n')
  expect((await winnow('erase', 'ledgers')).stdout).toBe('no document is out by request ledgers\n')
  expect(await winnow('erase', 'request', '--ids', 'none.txt')).toMatchObject({
    code: 3,
    stderr: expect.stringContaining('none.txt cannot be read'),
  })

  const again = await replay({ runtime, recorded: run, replay: replayRun(run, `${run.name}-again`) })
  expect(again.map(({ firstDifference }) => firstDifference)).toEqual(Array(rounds).fill(undefined))
})
