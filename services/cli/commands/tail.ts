import type { Command } from 'commander'
import { runTopics, topics } from '../../../schemas/index.ts'
import { DecodeError } from '../../runtime/codec.ts'
import { WinnowError } from '../../runtime/errors.ts'
import { json } from '../../runtime/json.ts'
import { lastRecords } from '../../runtime/kafka/last-records.ts'
import type { IncomingRecord } from '../../runtime/kafka/port.ts'
import { interruptible } from '../../runtime/lifecycle.ts'
import { nearest } from '../../terminal/nearest.ts'
import {
  alwaysJson,
  type CliContext,
  clusterCommand,
  example,
  type GlobalOptions,
  naturalNumber,
  print,
  withLimit,
} from '../context.ts'
import { summaries } from '../summaries.ts'

interface Options extends GlobalOptions {
  readonly limit: number
  readonly follow: boolean
}

export const tail = (context: CliContext): Command =>
  withLimit(
    alwaysJson(clusterCommand('tail', summaries.tail)),
    'lines',
    'the newest records of the topic, to start with',
    naturalNumber,
    10,
  )
    .argument('<topic>', 'name of the topic, with or without winnow.')
    .option('--no-follow', 'stop at the end of the topic')
    .addHelpText('after', example('winnow tail run.demo-7.console-state', 'winnow tail dead-letters --no-follow'))
    .action(async (given: string, options: Options) => {
      await using connection = await context.connect(options)
      const { runtime } = connection
      const topic = await existingTopic(await runtime.kafka.topicNames(), given)
      const write = async (record: IncomingRecord) => await print(context.stdout, `${json(await decoded(record))}\n`)
      const { records: last, next } = await lastRecords(runtime.kafka, topic, options.limit)
      const ended = Promise.withResolvers<void>()
      // Before the first record: whoever has read it may send a signal at once. Without --follow it is over before anybody could.
      using _interrupted = options.follow ? interruptible(process, () => ended.resolve()) : undefined
      for (const record of last) await write(record)
      if (!options.follow) return
      context.stdout.once('error', () => ended.resolve())
      await using following = new AsyncDisposableStack()
      const consumer = await runtime.kafka.consume({
        // Its own group, so that it takes no records from other consumers.
        groupId: `winnow-tail-${process.pid}-${topic}`,
        topics: [topic],
        startOffset: (_topic, partition) => next[partition] ?? 0,
        onBatch: async (records) => {
          for (const record of records) await write(record)
        },
        onFailure: ended.reject,
      })
      following.defer(() => consumer.close())
      await ended.promise

      async function decoded({ partition, offset, key, value }: IncomingRecord): Promise<object> {
        const place = { partition, offset, key: key?.toString() ?? null }
        if (value === null) return { ...place, value: null }
        try {
          return { ...place, ...(await runtime.codec.decode(value)) }
        } catch (error) {
          if (!(error instanceof DecodeError)) throw error
          return { ...place, error: error.message, bytes: value }
        }
      }
    })

async function existingTopic(names: readonly string[], given: string): Promise<string> {
  const found = [given, `winnow.${given}`].find((name) => names.includes(name))
  if (found !== undefined) return found
  const known = names.filter((name) => name.startsWith('winnow.')).sort()
  throw new WinnowError('USAGE', `there is no topic ${given}`, {
    hint:
      nearest(
        given.replace(/^winnow\./, ''),
        known.map((name) => name.replace(/^winnow\./, '')),
      ) ??
      `Topics: ${known.join(', ') || `none yet; for example ${topics.documents.name} or ${runTopics('NAME').progress.name}`}.`,
  })
}
