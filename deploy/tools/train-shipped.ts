import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { choiceOfModel } from '../../services/labeler/commands/choice.ts'
import { goldenCommand } from '../../services/labeler/commands/golden.ts'
import { trainCommand } from '../../services/labeler/commands/train.ts'
import { createLog } from '../../services/runtime/log.ts'
import { defaultActors } from '../../topologies/selection/default-actors.ts'

/** WebOrganizer's topic and format of web pages, and the source: labels that the corpus has by the thousand. */
const auxiliaryFields = ['topic', 'format', 'redpajama_set_name']

/**
 * Retrains the shipped models: `node deploy/tools/train-shipped.ts FOLDER [TASK]`, where FOLDER has annotations.jsonl and the corpus's
 * *.jsonl.gz, and TASK is quality or topic (default: both). Regularization was chosen by cross-validation.
 */
async function main(folder: string, only: string | undefined): Promise<void> {
  const log = createLog('train-shipped')
  const corpus = readdirSync(folder).filter((name) => name.endsWith('.jsonl.gz'))
  const shared = {
    annotations: join(folder, 'annotations.jsonl'),
    corpus: corpus.sort().map((name) => join(folder, name)),
    auxiliaryFields,
  }
  const tasks = [
    {
      task: 'topic',
      kind: 'classification',
      classes: defaultActors.topic!,
      balance: 0.5,
      fit: { l2: 1e-3, iterations: 60, metadataTrust: 0.9 },
    },
    { task: 'quality', kind: 'regression', classes: [], fit: { l2: 3e-4 } },
  ] as const
  for (const options of tasks) {
    if (only && only !== options.task) continue
    const out = fileURLToPath(new URL(`../../services/labeler/models/${options.task}`, import.meta.url))
    const { metrics } = await trainCommand({ ...shared, ...options, classes: [...options.classes], out }, (step) =>
      log.info({ task: options.task }, step),
    )
    await goldenCommand({ ...choiceOfModel(out, folder), write: true })
    log.info({ task: options.task, metrics }, 'trained')
  }
}

await main(process.argv[2] ?? '.', process.argv[3])
