import { randomBytes } from 'node:crypto'
import type { ContainerRuntimeClient, StartedTestContainer } from 'testcontainers'
import { allOrStop } from '../../../deploy/dev/context.ts'
import { clickHouseContainer, clickHouseUser } from '../containers.ts'
import type { ClickHouseCluster } from './cluster.ts'
import { clusterName, clusterXml, type Node } from './configuration.ts'

const shards = 2
const replicas = ['a', 'b']
const keeperPort = 9181
const startMsMax = 170_000

const keeperXml = `<keeper_server><tcp_port>${keeperPort}</tcp_port><server_id>1</server_id>
  <raft_configuration><server><id>1</id><hostname>localhost</hostname><port>9234</port></server></raft_configuration>
</keeper_server>`

/** Two shards of two replicas each, in containers; the first server is the Keeper of all. */
export async function startClusterContainers(runtime: ContainerRuntimeClient): Promise<ClickHouseCluster> {
  const { GenericContainer, Network, Wait } = await import('testcontainers')
  const network = await new Network().start()
  const [password, secret] = [randomBytes(16).toString('hex'), randomBytes(16).toString('hex')]
  const nodes = Array.from({ length: shards }, (_, i) =>
    replicas.map((replica): Node => ({ host: `ch-${i + 1}${replica}`, tcpPort: 9000, shard: i + 1, replica })),
  ).flat()
  const { image, environment, port, ready } = clickHouseContainer(password)
  try {
    const containers = await allOrStop<StartedTestContainer[]>(
      nodes.map((node, i) => {
        const content = `<clickhouse>${clusterXml(nodes, node, secret)}
  <zookeeper><node><host>${nodes[0]!.host}</host><port>${keeperPort}</port></node></zookeeper>
  <interserver_http_host>${node.host}</interserver_http_host>
  <distributed_ddl><path>/clickhouse/task_queue/ddl</path></distributed_ddl>
  ${i === 0 ? keeperXml : ''}
</clickhouse>`
        return new GenericContainer(image)
          .withNetwork(network)
          .withNetworkAliases(node.host)
          .withEnvironment({ ...environment })
          .withCopyContentToContainer([{ content, target: '/etc/clickhouse-server/config.d/cluster.xml' }])
          .withExposedPorts(port)
          .withStartupTimeout(startMsMax)
          .withWaitStrategy(Wait.forHttp(String(ready), port).forStatusCode(200))
          .start()
      }),
    )
    const { host } = runtime.info.containerRuntime
    return {
      url: `http://${clickHouseUser}:${password}@${host}:${containers.at(-1)!.getMappedPort(port)}`,
      cluster: clusterName,
      shards,
      stop: async () => {
        await Promise.all(containers.map((container) => container.stop()))
        await network.stop()
      },
    }
  } catch (error) {
    await network.stop()
    throw error
  }
}
