import { randomUUID } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunConfig } from '../../../topologies/run-config.ts'
import type { Runtime } from '../../connections/connections.ts'
import { type Model, openModel } from '../../model/model.ts'
import { makeFolder, unmakeFolder } from '../../runtime/make-folder.ts'
import { prepareWriting } from '../../runtime/stores/open-store.ts'
import { storeOf } from '../../runtime/stores/place.ts'
import { latestCheckpoint, runFolder, saveCheckpoint } from '../../trainer/checkpoints.ts'
import { checkCorpus } from './corpus.ts'
import { type Problem, problemOf } from './problem.ts'
import { checkReferences } from './references.ts'

/** An actor of the configuration, with the version of its labels. */
export interface Configured {
  readonly name: string
  readonly subcategories: readonly string[]
  readonly version: string | undefined
}

/** Labels are numbers: what they mean is said by whoever made them, and the run must say the same. */
export function checkSubcategories(run: RunConfig, configured: readonly Configured[]): Problem[] {
  return run.selection.actors.flatMap(({ name, subcategories }) => {
    const labelled = configured.find((one) => one.name === name && one.version === run.labelers[name])
    if (labelled === undefined || labelled.subcategories.join('\n') === subcategories.join('\n')) return []
    return {
      what: `selection.actors.${name} has the subcategories ${subcategories.join(', ')}, but labels of version ${labelled.version} are of ${labelled.subcategories.join(', ')}`,
      mend: `Write selection.actors.${name}.subcategories as the configuration has them.`,
    }
  })
}

/** Checks all that a run needs before it is recorded, which is final. */
export async function checkRun(
  runtime: Runtime,
  run: RunConfig,
  configured: readonly Configured[],
): Promise<Problem[]> {
  await using opened = new AsyncDisposableStack()
  let model: Model | undefined
  const ofModel = await problemOf(async () => {
    model = opened.use(await openModel({ graphs: run.model }))
  }, 'Name a folder of exported graphs (docs/influence.md), or shipped:llama-64x2.')
  return [
    ...ofModel,
    ...(await checkReferences(run, runtime, model)),
    ...(await checkCheckpoints(run)),
    ...checkSubcategories(run, configured),
    ...(await checkCorpus(runtime, run)),
  ]
}

/** The folder can be written to, and has no checkpoint of an earlier run of this name, from which training would resume. */
export async function checkCheckpoints({ name, checkpoints }: RunConfig): Promise<Problem[]> {
  let latest: Awaited<ReturnType<typeof latestCheckpoint>>
  const unusable = await problemOf(async () => {
    await writeProbe(checkpoints)
    latest = await latestCheckpoint(checkpoints, name)
  }, 'Name a folder in checkpoints that trainer and influence workers may write to, or an address of s3:// or gs://.')
  if (unusable.length > 0) return unusable.map((one) => ({ ...one, what: `checkpoints: ${one.what}` }))
  if (latest === undefined) return []
  const folder = runFolder(checkpoints, name)
  const remove =
    storeOf(folder) === undefined ? `Remove the folder (rm -r ${folder})` : `Remove what lies under ${folder}/`
  return [
    {
      what: `checkpoints: ${folder} has a checkpoint of an earlier run of this name, at step ${latest.step}, from which training would resume`,
      mend: `${remove}, or give the run another name.`,
    },
  ]
}

/** An object store keeps the empty object: always the same one, since not every store lets its writers remove. */
async function writeProbe(checkpoints: string): Promise<void> {
  if (storeOf(checkpoints) !== undefined) {
    await prepareWriting(checkpoints)
    const probe = runFolder(checkpoints, '.winnow-writable')
    // Who types an address wants to know at once.
    const once = (put: () => Promise<void>) => put()
    return await saveCheckpoint(probe, (path) => writeFile(path, ''), once)
  }
  const made = makeFolder(checkpoints)
  const probe = join(checkpoints, `.winnow-${randomUUID()}`)
  await writeFile(probe, '')
  await rm(probe)
  // The run may be refused for something else, and whoever saves a checkpoint makes the folder.
  unmakeFolder(checkpoints, made)
}
