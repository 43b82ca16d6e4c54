import { stringify } from 'yaml'
import { metricsPortDefault } from '../../runtime/metrics/server.ts'

/** The answers that `winnow init` asks for, as typed. */
export interface Answers {
  /** Separated by commas; empty: winnow starts its own. */
  readonly brokers: string
  readonly registry: string
  readonly clickhouse: string
  readonly partitions: string
}

/** What is not asked for, since few need it. */
export interface ClickHouseLogin {
  readonly username?: string
  readonly database?: string
}

interface Question {
  readonly what: string
  /** Whether it is asked at all, given the previous answers. */
  readonly wanted?: (answers: Answers) => boolean
  /** What is wrong with an answer. */
  readonly refuse: (answer: string) => string | undefined
}

export const defaultAnswers: Answers = {
  brokers: '',
  registry: 'http://localhost:8081',
  clickhouse: 'http://localhost:8123',
  partitions: '4',
}

const withBrokers = ({ brokers }: Answers) => brokers !== ''
const refuseUrl = (answer: string) => {
  if (!/^https?:\/\/\S+$/.test(answer)) return 'an address begins with http:// or https://'
  return /^https?:\/\/[^/]*@/.test(answer)
    ? 'without a login: give the user as username, and the password in the environment'
    : undefined
}

export const questions: Readonly<Record<keyof Answers, Question>> = {
  brokers: {
    what: 'Kafka brokers, host:port separated by commas; empty: winnow dev starts one here',
    refuse: (answer) =>
      brokersOf(answer).every((one) => /^[^\s:]+:\d+$/.test(one)) ? undefined : 'a broker is host:port',
  },
  registry: { what: 'schema registry', wanted: withBrokers, refuse: refuseUrl },
  clickhouse: { what: 'ClickHouse', wanted: withBrokers, refuse: refuseUrl },
  partitions: {
    what: 'partitions of the corpus, the largest number of instances of a labeler',
    refuse: (answer) => (/^[1-9]\d{0,3}$/.test(answer) ? undefined : 'a whole number from 1 to 1024'),
  },
}

const brokersOf = (answer: string): string[] =>
  answer
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')

/** A configuration that loads: the answers, and all other keys as comments. `schema` is a path or URL for editors. */
export function configurationText(
  { brokers, registry, clickhouse, partitions, username, database }: Answers & ClickHouseLogin,
  schema: string,
): string {
  const login = { ...(username !== undefined && { username }), ...(database !== undefined && { database }) }
  const own = brokersOf(brokers)
  const connections =
    own.length === 0
      ? `# Where your own Kafka, schema registry and ClickHouse are. Left out, winnow dev starts them here.
# kafka: { brokers: [broker-1:9092, broker-2:9092] }
# registry: { url: http://registry:8081 }
# clickhouse: { url: http://clickhouse:8123, username: winnow, database: winnow }
`
      : `# Where Kafka, the schema registry and ClickHouse are; passwords are in the environment (docs/winnow-yaml.md).
${stringify({ kafka: { brokers: own }, registry: { url: registry }, clickhouse: { url: clickhouse, ...login } })}`
  return `# yaml-language-server: $schema=${schema}
# The configuration of winnow. All keys: docs/winnow-yaml.md; effective values and their origins: winnow config show.

${connections}
# What winnow dev keeps: brokers' logs, tables, checkpoints.
dataFolder: .winnow

corpus:
  # Of documents and of every label topic. Choose it well: it is not changed later.
  partitions: ${Number(partitions)}
  # Bytes of a token, for budgets in tokens; winnow ingest --tokens tokenizer:FILE counts them instead.
  bytesPerToken: 4
  # Where the rows that are ingested have their text.
  textField: text

metrics:
  # Prometheus: http://127.0.0.1:PORT/metrics of each service.
  enabled: true
  # port: ${metricsPortDefault}

# Who labels the documents, and into what. These are the defaults, as for SlimPajama:
# actors:
#   quality: { labeler: { kind: hashed, model: shipped:quality } }
#   domain: { labeler: { kind: metadata, path: redpajama_set_name } }
#   topic: { labeler: { kind: hashed, model: shipped:topic } }
`
}
