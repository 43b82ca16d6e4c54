import { resolve } from 'node:path'
import { Command } from 'commander'
import type { Runtime } from '../../connections/connections.ts'
import { prepareEpoch, rotateKeys } from '../../corpus/rotate-keys.ts'
import { ClickHouseTextKeys } from '../../corpus/text-keys.ts'
import { untilSunk } from '../../host/decontamination.ts'
import { systemClock } from '../../runtime/clock.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { Counter } from '../../terminal/progress.ts'
import { table } from '../../terminal/table.ts'
import { MasterKeys } from '../../texts/master-keys.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, print } from '../context.ts'
import { summaries } from '../summaries.ts'

export const keys = (context: CliContext): Command =>
  new Command('keys')
    .description(summaries.keys)
    .addHelpText('after', example('winnow keys create master-keys.json', 'winnow keys list', 'winnow keys rotate'))
    .addCommand(creating(context))
    .addCommand(listing(context))
    .addCommand(rotating(context))
    .addCommand(dropping(context))

const creating = (context: CliContext): Command =>
  new Command('create')
    .description('writes a file with a first master key, for corpus.encryption in winnow.yaml')
    .argument('<file>', 'where; a file that is there is not overwritten')
    .option('--json', 'as JSON')
    .addHelpText('after', example('winnow keys create master-keys.json'))
    .action(async (file: string, options: { json?: boolean }) => {
      const { path, newest: epoch } = MasterKeys.create(resolve(context.folder, file), systemClock())
      if (options.json) return await print(context.stdout, `${JSON.stringify({ path, epoch })}\n`)
      await print(
        context.stdout,
        `${path}: epoch ${epoch}. Who loses this file loses every text, who copies it can read them\n`,
      )
    })

const listing = (context: CliContext): Command =>
  clusterCommand('list', 'the epochs, and how many keys of documents each has wrapped')
    .option('--json', 'as JSON')
    .addHelpText('after', example('winnow keys list'))
    .action(async (options: GlobalOptions & { json?: boolean }) => {
      await using connection = await context.connect(options)
      const { stored, masterKeys } = keysOf(connection.runtime)
      const wrapped = new Map((await stored.epochs()).map(({ epoch, keys }) => [epoch, keys]))
      const inFile = new Set(masterKeys.epochs)
      const epochs = [...new Set([...wrapped.keys(), ...inFile])]
        .sort((a, b) => a - b)
        .map((epoch) => ({ epoch, keys: wrapped.get(epoch) ?? 0, masterKey: inFile.has(epoch) }))
      if (options.json) return await print(context.stdout, `${JSON.stringify(epochs)}\n`)
      const rows = epochs.map(({ epoch, keys, masterKey }) => [`${epoch}`, `${keys}`, masterKey ? 'yes' : 'no'])
      const columns = [
        { title: 'epoch', number: true },
        { title: 'keys of documents', number: true },
        { title: 'master key in the file' },
      ]
      await print(context.stdout, `${table(columns, rows)}\n`)
    })

const rotating = (context: CliContext): Command =>
  clusterCommand(
    'rotate',
    'begins an epoch: a new master key in the file, by which all keys of documents are wrapped anew',
  )
    .option('--go-on', 'with the newest epoch, after --prepare or a rotation that was cut off, in place of a new one')
    .option('--prepare', 'add the master key to the file and no more, so that every reader has it before it is used')
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      example('winnow keys rotate', 'winnow keys rotate --prepare # then give the file to every reader, and --go-on'),
    )
    .action(async (options: GlobalOptions & { goOn?: boolean; prepare?: boolean; json?: boolean }) => {
      if (options.goOn === true && options.prepare === true)
        throw new WinnowError('USAGE', 'give one of --prepare and --go-on', { hint: 'First --prepare, then --go-on.' })
      await using connection = await context.connect(options)
      const { runtime } = connection
      const { stored: keys, masterKeys } = keysOf(runtime)
      if (options.prepare === true) {
        const epoch = await prepareEpoch({ keys, masterKeys, clock: systemClock })
        if (options.json) return await print(context.stdout, `${JSON.stringify({ epoch })}\n`)
        return await print(
          context.stdout,
          `epoch ${epoch} is in ${masterKeys.path}, and has wrapped nothing. Give the file to every reader, then: winnow keys rotate --go-on\n`,
        )
      }
      // Of an erasure that the sink does not have yet the keys would be wrapped once more.
      await untilSunk(runtime)
      const total = (await keys.epochs()).reduce((sum, epoch) => sum + epoch.keys, 0)
      const shown = new Counter(context.stderr, systemClock, { doing: 'wrapping', unit: 'keys' })
      const onProgress = (done: number) => shown.at(done, Math.max(done, total))
      const ports = { keys, masterKeys, kafka: runtime.kafka, clock: systemClock }
      const rotated = await rotateKeys(ports, { goOn: options.goOn === true, onProgress }).finally(() => shown.clear())
      if (options.json) return await print(context.stdout, `${JSON.stringify(rotated)}\n`)
      const older = masterKeys.epochs.filter((epoch) => epoch !== rotated.epoch)
      await print(
        context.stdout,
        `epoch ${rotated.epoch} has wrapped ${rotated.keys} keys\n${
          older.length === 0
            ? ''
            : `Give the file to every reader, then destroy the master keys of epoch ${older.join(', ')}: winnow keys drop, and every copy of the file from before\n`
        }`,
      )
    })

const dropping = (context: CliContext): Command =>
  clusterCommand('drop', 'takes master keys out of the file that have wrapped no key any more')
    .option('--json', 'as JSON')
    .addHelpText('after', example('winnow keys drop'))
    .action(async (options: GlobalOptions & { json?: boolean }) => {
      await using connection = await context.connect(options)
      const { stored, masterKeys } = keysOf(connection.runtime)
      const used = (await stored.epochs()).filter(({ epoch }) => epoch < masterKeys.newest)
      if (used.length > 0)
        throw new WinnowError(
          'CONFIGURATION',
          `epoch ${used[0]!.epoch} has wrapped ${used[0]!.keys} keys that are in use`,
          {
            hint: 'Have them wrapped by the newest: winnow keys rotate --go-on.',
          },
        )
      const dropped = masterKeys.dropOlder()
      if (options.json) return await print(context.stdout, `${JSON.stringify({ dropped })}\n`)
      const said =
        dropped.length === 0
          ? 'there is one epoch: nothing to drop'
          : `epoch ${dropped.join(', ')} is gone from ${masterKeys.path}`
      await print(context.stdout, `${said}\n`)
    })

/** @throws WinnowError CONFIGURATION if no file is named */
function keysOf({ clickHouse, texts: { masterKeys } }: Runtime) {
  if (masterKeys === undefined)
    throw new WinnowError('CONFIGURATION', 'no file of master keys is named', {
      hint: 'Set corpus.encryption in winnow.yaml, or WINNOW_CORPUS_ENCRYPTION (docs/erasure.md).',
    })
  return { stored: new ClickHouseTextKeys(clickHouse.sql), masterKeys }
}
