import { join } from 'node:path'

/** The demo's model: Llama, 2 layers of 64, vocabulary of 4,096 (services/influence/export without --model). */
export const demoGraphs = join(import.meta.dirname, 'llama-64x2')
