import { graphsFolder } from '../../services/model/shipped.ts'

/** The demo's model: Llama, 2 layers of 64, vocabulary of 4,096 (services/influence/export without --model). */
export const demoModel = 'shipped:llama-64x2'
export const demoGraphs = graphsFolder(demoModel)
