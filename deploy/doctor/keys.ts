import { statSync } from 'node:fs'
import { ClickHouseTextKeys } from '../../services/corpus/text-keys.ts'
import { type ErasuresLeft, finishing, leftOfErasures } from '../../services/runs/exclusions/left.ts'
import { createClickHouse } from '../../services/runtime/clickhouse/client.ts'
import { WinnowError } from '../../services/runtime/errors.ts'
import { within } from '../../services/runtime/within.ts'
import { MasterKeys } from '../../services/texts/master-keys.ts'
import { type Finding, ok, problem, skipped, warning } from './finding.ts'

const ofFile = 'master keys'
const ofTexts = 'keys of texts'

/** The file that corpus.encryption names: what is wrong with it by itself, and its keys if it has some. */
export function checkKeyFile(path: string): { findings: Finding[]; masterKeys: MasterKeys | undefined } {
  try {
    const masterKeys = MasterKeys.load(path)
    return { findings: judgeKeyFile(path, statSync(path), process.getuid?.()), masterKeys }
  } catch (error) {
    if (!(error instanceof WinnowError)) throw error
    return { findings: [problem(ofFile, error.message, error.hint ?? 'Correct it.')], masterKeys: undefined }
  }
}

/** @param ownUid the user of this process; undefined where there are no such users */
export function judgeKeyFile(path: string, { mode, uid }: { mode: number; uid: number }, ownUid?: number): Finding[] {
  // Kubernetes mounts a Secret as root's, readable by the pod's group: it is by that group that this process reads it.
  const others = uid === ownUid ? 0o077 : 0o037
  if (ownUid === undefined || (mode & others) === 0) return [ok(ofFile, path)]
  const found = `${path} can be read or changed by others: its mode is ${(mode & 0o777).toString(8)}`
  return [
    warning(ofFile, found, `chmod 600 ${path}. Who has copied it can read texts: winnow keys rotate makes another.`),
  ]
}

export interface KeysFound {
  /** Of the file; undefined: none is named. */
  readonly masterKeys: { readonly path: string; readonly epochs: readonly number[] } | undefined
  /** How many keys of documents each epoch has wrapped in ClickHouse, ascending. */
  readonly wrapped: readonly { readonly epoch: number; readonly keys: number }[]
  /** Why the newest of them does not open by the file; undefined: it does, or that was not tried. */
  readonly another: Pick<WinnowError, 'message' | 'hint'> | undefined
  /** What is recorded as erased and has keys all the same. */
  readonly cutOff: ErasuresLeft
}

/** Whether the texts of the corpus can be read by the file of master keys, and what is still to be destroyed. */
export function judgeTextKeys({ masterKeys, wrapped, another, cutOff }: KeysFound): Finding[] {
  const keys = wrapped.reduce((sum, epoch) => sum + epoch.keys, 0)
  const left =
    cutOff.documents === 0
      ? []
      : [
          warning(
            ofTexts,
            `${cutOff.documents} documents are erased and have their keys still: unless the command is at it, it was cut off`,
            `Finish it: ${finishing(cutOff)}`,
          ),
        ]
  if (masterKeys === undefined) {
    if (keys === 0) return []
    const found = `ClickHouse has ${keys} keys of encrypted texts, and corpus.encryption names no file: none of them can be read here`
    const mend = 'Name the file of master keys: corpus.encryption in winnow.yaml, or WINNOW_CORPUS_ENCRYPTION.'
    return [problem(ofTexts, found, mend), ...left]
  }
  const { path, epochs } = masterKeys
  const newest = Math.max(...epochs)
  const missing = wrapped.filter(({ epoch }) => !epochs.includes(epoch))
  const findings = missing.map(({ epoch, keys: unread }) =>
    problem(
      ofFile,
      `${path} has no master key of epoch ${epoch}, by which ${unread} keys of documents are wrapped`,
      epoch > newest
        ? "Take the file as 'winnow keys rotate' has written it, where that was called."
        : 'Take that key back from a copy of the file: without it nobody can read these texts.',
    ),
  )
  if (another !== undefined)
    findings.push(problem(ofFile, another.message, another.hint ?? 'Take the file by which the corpus was ingested.'))
  const before = wrapped.filter(({ epoch }) => epoch < newest && epochs.includes(epoch))
  const stillWrapped = before.reduce((sum, epoch) => sum + epoch.keys, 0)
  if (stillWrapped > 0)
    findings.push(
      warning(
        ofTexts,
        `${stillWrapped} are wrapped by epochs before the newest, ${newest}: a rotation is on, was cut off or has still to be made`,
        'winnow keys rotate --go-on',
      ),
    )
  const idle = epochs.filter((epoch) => epoch < newest && !wrapped.some((one) => one.epoch === epoch))
  if (idle.length > 0)
    findings.push(
      warning(
        ofFile,
        `${idle.length} older ones are still in ${path}, of epoch ${idle.join(', ')}: copies of ClickHouse from their time can be read by them, erased texts too`,
        'Once every reader has this file: winnow keys drop, and destroy the copies of the file from before (docs/erasure.md).',
      ),
    )
  if (findings.length === 0)
    findings.push(ok(ofTexts, keys === 0 ? 'none yet' : `${keys}, all wrapped by epoch ${newest}`))
  return [...findings, ...left]
}

/** Asks ClickHouse for what `judgeTextKeys` judges. What does not answer is told by its own check. */
export async function checkTextKeys(
  options: Parameters<typeof createClickHouse>[0],
  masterKeys: MasterKeys | undefined,
  limitMs: number,
): Promise<Finding[]> {
  const late = new Error(`ClickHouse does not count them within ${limitMs / 1000} s`)
  try {
    return judgeTextKeys(await within(limitMs, askTextKeys(options, masterKeys), () => late))
  } catch (error) {
    const { message, code } = error as { message: string; code?: string }
    // Tables are made by the first service that comes.
    if (code === 'UNREACHABLE' || /UNKNOWN_TABLE|UNKNOWN_DATABASE/.test(message)) return []
    return [skipped(ofTexts, message)]
  }
}

async function askTextKeys(
  options: Parameters<typeof createClickHouse>[0],
  masterKeys: MasterKeys | undefined,
): Promise<KeysFound> {
  await using opened = new AsyncDisposableStack()
  const clickHouse = opened.adopt(await createClickHouse(options), (one) => one.close())
  const keys = new ClickHouseTextKeys(clickHouse.sql)
  const wrapped = await keys.epochs()
  return {
    masterKeys,
    wrapped,
    another: await anotherFile(keys, masterKeys),
    cutOff: await leftOfErasures(keys),
  }
}

/** As an ingest that starts compares them. */
async function anotherFile(keys: ClickHouseTextKeys, masterKeys: MasterKeys | undefined) {
  try {
    masterKeys?.assertSame(await keys.newest())
    return undefined
  } catch (error) {
    if (error instanceof WinnowError && error.code === 'BAD_DATA') return error
    // A master key that is missing is told by the epochs.
    if (error instanceof WinnowError && error.code === 'CONFIGURATION') return undefined
    throw error
  }
}
