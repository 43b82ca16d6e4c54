import type { Command } from 'commander'
import { topicNamed } from '../../../schemas/index.ts'
import { recordedConfig } from '../../../topologies/run-config.ts'
import { createCorpusTopics, createRunTopics } from '../../connections/connections.ts'
import { listRuns } from '../../runs/registry.ts'
import { json } from '../../runtime/json.ts'
import { formatCount } from '../../terminal/progress.ts'
import { fittingTable } from '../../terminal/table.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, print, widthOf } from '../context.ts'
import { summaries } from '../summaries.ts'

/** On a narrow terminal. */
const leftOut = ['key', 'kept', 'holds']

export const topics = (context: CliContext): Command =>
  clusterCommand('topics', summaries.topics)
    .option('--json', 'as JSON')
    .option('--create', 'first creates those that the configuration and the recorded runs need and that are missing')
    .addHelpText('after', example('winnow topics', 'winnow topics --create', "winnow topics --json | jq '.[].topic'"))
    .action(async (options: GlobalOptions & { json?: boolean; create?: boolean }) => {
      await using connection = await context.connect(options)
      const { runtime, config } = connection
      if (options.create) {
        await createCorpusTopics(runtime.kafka, config)
        for (const record of (await listRuns(runtime)).values())
          if (record.life === 'active' || record.life === 'paused')
            await createRunTopics(runtime.kafka, recordedConfig(record))
      }
      const names = (await runtime.kafka.topicNames()).filter((name) => name.startsWith('winnow.')).sort()
      const found = await Promise.all(
        names.map(async (topic) => {
          const ends = await runtime.kafka.endOffsets(topic)
          const spec = topicNamed(topic)
          return {
            topic,
            holds: spec?.records.map(({ name }) => name) ?? [],
            key: spec?.key ?? null,
            cleanup: spec?.cleanup ?? null,
            partitions: ends.length,
            offsets: ends.reduce((sum, end) => sum + end, 0),
          }
        }),
      )
      if (options.json) return await print(context.stdout, `${json(found)}\n`)
      const columns = [
        { title: 'topic' },
        { title: 'holds' },
        { title: 'key' },
        { title: 'partitions', number: true },
        { title: 'next offset', number: true },
        { title: 'kept' },
      ]
      const rows = found.map(({ topic, holds, key, cleanup, partitions, offsets }) => [
        topic,
        holds.join(', '),
        key ?? '–',
        `${partitions}`,
        formatCount(offsets),
        cleanup === 'compact' ? 'the last of each key' : 'everything',
      ])
      await print(context.stdout, `${fittingTable(columns, rows, leftOut, widthOf(context.stdout))}\n`)
    })
