import { createRequire } from 'node:module'
import kafkajs from 'kafkajs'

interface BrokerPool {
  seedBroker: { connect(): Promise<void> }
  createSeedBroker(): Promise<void>
}

const { prototype }: { prototype: BrokerPool } = createRequire(import.meta.url)('kafkajs/src/cluster/brokerPool.js')
const create = prototype.createSeedBroker

/**
 * Mends kafkajs 2.2.4, which goes on to the next of the brokers it was given where one refuses the connection, but stays with one that
 * takes it and ends it, as a load balancer does for a broker that is gone.
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
