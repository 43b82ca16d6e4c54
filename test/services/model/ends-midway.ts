/** Ends its process while a training step runs; argument: milliseconds to wait. Started by exit.test.ts. */
import { demoGraphs } from '../../../deploy/demo/model.ts'
import { openModel } from '../../../services/model/model.ts'
import { createTrainer } from '../../../services/model/trainer.ts'

const options = { batch: 8, context: 128, learningRate: 1e-3, warmupSteps: 1, totalSteps: 9 }
const trainer = await createTrainer(await openModel({ graphs: demoGraphs }), { ...options, start: { seed: '1' } })
for (let k = 0; k < 50; k++) void trainer.step(new Int32Array(8 * 129).fill(5)).catch(() => undefined)
setTimeout(() => process.exit(7), Number(process.argv[2]))
