import type { Command } from 'commander'
import { topics } from '../../../schemas/index.ts'
import { parseRunConfig, type RunConfig } from '../../../topologies/run-config.ts'
import { gapInWords, heldBackInWords, openGaps } from '../../runs/gaps.ts'
import { labelerVersions, labelProgress } from '../../runs/label-progress.ts'
import { findLogTrouble } from '../../runs/log-trouble.ts'
import { readRun } from '../../runs/recorded.ts'
import { listRuns } from '../../runs/registry.ts'
import { json } from '../../runtime/json.ts'
import { formatFixed, table } from '../../terminal/table.ts'
import { type CliContext, clusterCommand, example, type GlobalOptions, print, widthOf } from '../context.ts'
import { summaries } from '../summaries.ts'

export const status = (context: CliContext): Command =>
  clusterCommand('status', summaries.status)
    .option('--json', 'as JSON')
    .addHelpText('after', example('winnow status', 'winnow status --json | jq .runs'))
    .action(async (options: GlobalOptions & { json?: boolean }) => {
      await using connection = await context.connect(options)
      const { config, runtime } = connection
      const versions = await labelerVersions(config)
      const labels = await labelProgress(runtime, versions)
      const deadLetters = (await runtime.kafka.endOffsets(topics.deadLetters.name)).reduce(
        (sum, offset) => sum + offset,
        0,
      )
      const runs = []
      const configs: RunConfig[] = []
      for (const { run, config: text, replayOf } of (await listRuns(runtime)).values()) {
        const parsed = parseRunConfig(JSON.parse(text))
        const { steps, selection } = parsed
        configs.push(parsed)
        const view = await readRun(runtime, run)
        const manifest = view.lastManifest
        runs.push({
          run,
          replayOf,
          steps,
          step: view.lastReport?.step ?? null,
          round: manifest?.round ?? null,
          selected: manifest?.documents ?? null,
          trainLoss: view.lastWith('trainLoss')?.trainLoss ?? null,
          theta: manifest && Object.fromEntries(selection.actors.map(({ name }, i) => [name, manifest.theta[i]])),
        })
      }
      const covered = await runtime.store.committed()
      const trouble = await findLogTrouble(runtime.kafka, { labelers: versions, runs: configs }, covered)
      const gaps = await openGaps(runtime, trouble)
      const { heldBack } = trouble
      if (options.json) {
        const found = { corpus: labels, labelers: Object.fromEntries(versions), deadLetters, gaps, heldBack, runs }
        return await print(context.stdout, `${json(found)}\n`)
      }
      const told = [...gaps.map(gapInWords), ...heldBack.map(heldBackInWords)].map((line) => `\n${line}`)
      const head = `corpus: ${labels.documents} documents, ${labels.complete} labelled by every actor; dead letters: ${deadLetters === 0 ? 'none' : `up to offset ${deadLetters}`}\nlabelers: ${[...versions].map(([actor, version]) => `${actor} ${version}`).join(', ')}`
      const columns = [
        { title: 'run' },
        { title: 'step', number: true },
        { title: 'round', number: true },
        { title: 'selected', number: true },
        { title: 'loss', number: true },
        { title: 'theta' },
      ]
      const rows = runs.map(({ run, replayOf, step, steps, round, selected, trainLoss, theta }) => [
        run,
        replayOf === null ? `${step ?? 0}/${steps}` : `replay of ${replayOf}`,
        `${round ?? '–'}`,
        `${selected ?? '–'}`,
        formatFixed(trainLoss, 4),
        Object.entries(theta ?? {})
          .map(([actor, value]) => `${actor} ${formatFixed(value, 3)}`)
          .join(' '),
      ])
      await print(
        context.stdout,
        `${head}${told.join('')}\n\n${rows.length === 0 ? 'no runs yet' : table(columns, rows, { width: widthOf(context.stdout) })}\n`,
      )
    })
