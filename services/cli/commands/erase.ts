import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { createCorpusTopics } from '../../connections/connections.ts'
import { excludedBy, idsWhere } from '../../corpus/exclusions.ts'
import { untilSunk } from '../../host/decontamination.ts'
import { eraseDocuments, erasureList, type Receipt, receiptOf } from '../../runs/exclusions/erase.ts'
import { liftList } from '../../runs/exclusions/lift.ts'
import { assertReadable, destroyTexts, type ErasedTexts } from '../../runs/exclusions/texts.ts'
import { systemClock } from '../../runtime/clock.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { json } from '../../runtime/json.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, print } from '../context.ts'
import { readIds } from '../read-ids.ts'
import { signerOf, signingOption } from '../signing.ts'
import { summaries } from '../summaries.ts'
import { whoRead, withBy } from './eval-set.ts'

interface Options extends GlobalOptions {
  readonly ids?: string
  readonly where?: string[]
  readonly lift?: boolean
  readonly by: string
  readonly out?: string
  readonly key?: string
  readonly json?: boolean
}

export const erase = (context: CliContext): Command =>
  withBy(clusterCommand('erase', summaries.erase))
    .argument('<request>', 'a name of the request, by which it is lifted and its receipt is found again')
    .option('--ids <file>', 'file with an id a line; - for standard input')
    .option('--where <field=value...>', 'documents whose rows have this, as meta.author=Somebody; all must hold')
    .option('--lift', 'take the documents of the request back in')
    .option('--json', 'the receipt as JSON, with every document and place')
    .option('--out <file>', 'where to write the receipt, as JSON')
    .option(...signingOption('receipt'))
    .addHelpText(
      'after',
      example(
        'winnow erase request-17 --ids ids.txt --json > receipt.json',
        'winnow erase request-18 --where meta.author=Somebody',
        'winnow erase request-17 --out receipt.json --key key.pem # again, as of now, signed',
      ),
    )
    .action(async (name: string, options: Options) => {
      const { ids: file, where, lift, by } = options
      if ([file, where, lift].filter((one) => one !== undefined).length > 1)
        throw new WinnowError('USAGE', 'give one of --ids, --where and --lift', { hint: 'None of them: the receipt.' })
      const signer = await signerOf(options)
      const conditions = (where ?? []).map(conditionOf)
      const given = file === undefined ? undefined : await readIds(context, file)
      const list = erasureList(name)
      await using connection = await context.connect(options)
      const { runtime, config } = connection
      await createCorpusTopics(runtime.kafka, config)
      const documentsOut = async () => (await excludedBy(runtime.clickHouse.sql, list)).map(({ value }) => value.docId)
      if (lift) {
        await untilSunk(runtime)
        await assertReadable(runtime, await documentsOut())
        const lifted = await liftList(runtime, list, by, systemClock)
        await untilSunk(runtime)
        context.stderr.write(`${lifted} exclusions of ${name} are lifted\n`)
        return
      }
      const ids = where === undefined ? given : await idsWhere(runtime.clickHouse.sql, conditions)
      if (ids !== undefined) {
        const unknown = await eraseDocuments(runtime, { name, ids, by })
        if (ids.length === unknown.length)
          throw new WinnowError('BAD_DATA', `none of the ${ids.length} documents is in the corpus`, {
            hint: 'Nothing is recorded. What is being ingested is there once the label sink has it: winnow status.',
          })
        if (unknown.length > 0)
          context.stderr.write(`${unknown.length} ids are not in the corpus: ${unknown.slice(0, 10).join(', ')}\n`)
      }
      // Also of a request that was cut off before, perhaps before the sink had it.
      await untilSunk(runtime)
      await destroyTexts(runtime, await documentsOut())
      const receipt = await receiptOf(runtime, name)
      const { out } = options
      if (out !== undefined) {
        await writeFile(resolve(context.folder, out), `${json(receipt)}\n`)
        await signer?.sign(resolve(context.folder, out))
        return
      }
      await print(context.stdout, options.json ? `${json(receipt)}\n` : inWords(receipt))
    })

function conditionOf(text: string): { path: string[]; value: string } {
  const at = text.indexOf('=')
  if (at < 1) throw new WinnowError('USAGE', `${text} is no condition`, { hint: 'As meta.author=Somebody.' })
  return { path: text.slice(0, at).split('.'), value: text.slice(at + 1) }
}

function inWords({ request, documents, runs, texts }: Receipt): string {
  if (documents.length === 0) return `no document is out by request ${request}\n`
  const since = runs.map(({ run, outFromRound }) =>
    outFromRound === null
      ? `run ${run}: they are out from its next round on\n`
      : `run ${run}: they are out since round ${outFromRound}\n`,
  )
  const read = whoRead(runs.filter(({ readings }) => readings.length > 0))
  return `${documents.length} documents are out by request ${request}\n${since.join('')}${read}${texts === undefined ? '' : textsInWords(texts)}`
}

function textsInWords({ encrypted, keysDestroyed, masterKeysLeft }: ErasedTexts): string {
  const state = `texts: of ${encrypted} that are encrypted the keys of ${keysDestroyed} are destroyed\n`
  if (masterKeysLeft === null) return `${state}master keys: not known here, since corpus.encryption names no file\n`
  if (masterKeysLeft.length === 0) return `${state}master keys: those of that time are gone from the file\n`
  return `${state}master keys: of epoch ${masterKeysLeft.join(', ')} still to be destroyed, for copies of ClickHouse from before (winnow keys rotate)\n`
}
