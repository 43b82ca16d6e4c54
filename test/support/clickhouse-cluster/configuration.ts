/** Where a node of the cluster is. */
export interface Node {
  readonly host: string
  readonly tcpPort: number
  readonly shard: number
  readonly replica: string
}

export const clusterName = 'winnow-test'

/** What a server of the cluster is told beside its own ports: the shards, and which of them it is. */
export function clusterXml(nodes: readonly Node[], own: Node, secret?: string): string {
  const shards = [...Map.groupBy(nodes, ({ shard }) => shard).values()].map(
    (replicas) => `<shard><internal_replication>true</internal_replication>
      ${replicas.map(({ host, tcpPort }) => `<replica><host>${host}</host><port>${tcpPort}</port></replica>`).join('\n      ')}
    </shard>`,
  )
  return `
  <remote_servers replace="true"><${clusterName}>
    ${secret === undefined ? '' : `<secret>${secret}</secret>`}
    ${shards.join('\n    ')}
  </${clusterName}></remote_servers>
  <macros><shard>${own.shard}</shard><replica>${own.replica}</replica></macros>`
}
