import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { WinnowError } from '../runtime/errors.ts'

const folder = join(import.meta.dirname, 'shipped')
const prefix = 'shipped:'

/** Whether `model` of a run names one that comes with winnow, not a folder. */
export const isShipped = (model: string): boolean => model.startsWith(prefix)

/**
 * The folder that `model` of a run refers to: `shipped:NAME` comes with winnow, on any machine.
 * @throws WinnowError MODEL_UNUSABLE if no model of that name is shipped
 */
export function graphsFolder(model: string): string {
  if (!isShipped(model)) return model
  const name = model.slice(prefix.length)
  const shipped = readdirSync(folder).sort()
  if (shipped.includes(name) && existsSync(join(folder, name, 'model.json'))) return join(folder, name)
  throw new WinnowError('MODEL_UNUSABLE', `no model ${name} is shipped`, {
    hint: `Shipped: ${shipped.map((one) => prefix + one).join(', ')}. A model of your own is a folder of exported graphs: docs/influence.md.`,
  })
}
