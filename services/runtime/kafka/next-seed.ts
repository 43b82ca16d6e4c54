import { createRequire } from 'node:module'
import kafkajs from 'kafkajs'

interface BrokerPool {
  seedBroker: { connect(): Promise<void> }
  createSeedBroker(): Promise<void>
}

const { prototype }: { prototype: BrokerPool } = createRequire(import.meta.url)('kafkajs/src/cluster/brokerPool.js')
const create = prototype.createSeedBroker

/**
 * Fixes kafkajs 2.2.4, which tries the next bootstrap broker when one refuses the connection, but stays with one that accepts and then closes
 * it, as a load balancer does for a broker that is down.
 */
prototype.createSeedBroker = async function (this: BrokerPool) {
  await create.call(this)
  const seed = this.seedBroker
  const connect = seed.connect.bind(seed)
  seed.connect = () =>
    connect().catch((error: Error & { broker?: string }) => {
      if (error.name !== 'KafkaJSConnectionClosedError') throw error
      const { broker } = error
      throw new kafkajs.KafkaJSConnectionError(error.message, broker === undefined ? {} : { broker })
    })
}
