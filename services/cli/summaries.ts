/**
 * What each command is for, in the order of `winnow --help`, which shows it without loading the commands; dev, demo, acls and doctor come from
 * deploy.
 */
export const summaries = {
  dev: 'starts a broker, a registry, ClickHouse and all services here, until Ctrl-C',
  demo: 'the whole loop here, on a real corpus: labels, rewards, weights, selections, two models in training',
  acls: 'the permissions that a service needs on a cluster with an authorizer',
  doctor: 'looks at versions, brokers, topics, registry, ClickHouse, permissions, disk and clocks',
  init: 'asks a few questions and writes a commented configuration',
  config: 'the configuration in force',
  deduplicate: 'passes on the rows of files as JSON lines, but those whose text is a duplicate of an earlier one',
  ingest:
    'reads source files (JSON lines, plain, gzip or Zstandard; Parquet; folders; - for standard input) into the corpus',
  run: 'runs one service, as many instances as there are partitions; records runs',
  status: 'what is in the corpus and where each run is',
  top: 'the main numbers, live: topics with rate and lag, runs with round, theta and losses, memory; q ends',
  board: 'the web page: dataflow, actors, selections, training, documents, dead letters, runs',
  explain: 'why a document was or was not selected, round by round, and what would have turned it',
  select: 'the ids that a round of a run has selected, in the order in which trainers read them',
  compare: 'two runs side by side, round by round: selections in common, theta, losses at equal steps',
  topics: 'every topic of winnow: what is in it, by which key, how much, how long it is kept',
  tail: 'the last records of a topic, decoded, as JSON lines; goes on as they come',
  'dead-letters': 'what was refused, why, and sending it again once that is mended',
  gaps: 'records that were gone before they were read, and going on without them',
  replay: "refolds a run's recorded streams under a new name and compares them bit by bit",
  simulate: 'runs the rounds of recorded rewards over labelled documents, on files alone',
  labeler: 'trains, evaluates, compares and runs labelers',
  influence: 'how far rewards can be trusted',
  topology: 'the dataflow of a run: its stations and the topics between them',
  completion: 'a script that completes commands, options and files in your shell',
} as const
export type CommandName = keyof typeof summaries
