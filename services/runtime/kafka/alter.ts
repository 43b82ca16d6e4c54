// Commands of Kafka's own tools, for hints: a topic's settings are for people to change.
const tool = (name: string) => `${name}.sh --bootstrap-server "$BROKERS" --alter`

/** The command that adds partitions to a topic. They cannot be removed. */
export const addPartitions = (topic: string, partitions: number): string =>
  `${tool('kafka-topics')} --topic ${topic} --partitions ${partitions}`

/** The command that changes a setting of a topic. */
export const alterTopic = (topic: string, setting: string): string =>
  `${tool('kafka-configs')} --topic ${topic} --add-config ${setting}`
