/**
 * What each command is for, in the order of `winnow --help`, which shows it without loading the commands; dev, demo, acls, doctor and
 * experiment come from deploy.
 */
export const summaries = {
  dev: 'starts a broker, a registry, ClickHouse and all services on this machine, until Ctrl-C',
  demo: 'the whole loop on this machine, on a real corpus: labels, rewards, weights, selections, two models in training',
  acls: 'the permissions that a service needs on a cluster with an authorizer',
  doctor: 'checks versions, brokers, topics, registry, ClickHouse, permissions, disk and clocks',
  init: 'asks a few questions and writes a commented configuration; with --run a commented run',
  config: 'the effective configuration',
  deduplicate: 'writes the rows of files as JSON lines, without those whose text duplicates an earlier one',
  ingest:
    'reads source files (JSON lines, plain, gzip or Zstandard; Parquet; folders; - for standard input) into the corpus',
  'eval-set': 'evaluation sets that no document may contain: adds, lists and removes them, and shows what they exclude',
  up: 'starts labelers, label sink, board and, by name, runs on the configured cluster, until Ctrl-C',
  run: 'records, starts, shows, pauses, ends and deletes runs; runs single services',
  steer: 'guards the selections of a live run, by record: floor, cap and pin of a subcategory, repetitions at most',
  status: 'what is in the corpus and where each run is',
  top: 'the main numbers, live: topics with rate and lag, runs with round, theta and losses, memory; q quits',
  board: 'the web page: dataflow, actors, selections, training, documents, dead letters, runs',
  explain: 'why a document was or was not selected, round by round, and what would have changed that',
  seen: 'which runs selected a document, and which checkpoints have read it and how often',
  trained: 'what a checkpoint has been trained on: documents and tokens by source and actor, or every document',
  summary: 'what a model was trained on, by source, licence, language, web domain and date, to be published',
  erase: 'takes documents out of all selections from the next round on, with a receipt of who had read them',
  keys: 'master keys by which texts are encrypted: makes, lists, rotates and drops them',
  retrain: "trains a run's reference model again as if it had never read some documents, bit for bit, with a receipt",
  prove: 'a proof that a document is in a selection, or is not, for who has the root of the selection alone',
  verify: 'checks such a proof, or an archive of a run, without any cluster',
  select: 'the ids that a round selected, in the order in which trainers read them',
  compare:
    'two runs side by side, round by round: overlap, theta, weights, where they part and why, losses at equal tokens',
  evaluate: 'what the selections of a run are worth against random and other choices, by rewards they have not seen',
  ablate: 'what a run would have selected by other actors or hyperparameters, and what that is worth, from its log',
  export:
    'writes a run into an archive: files that replay, ablate, compare, explain and evaluate read without a cluster',
  ledger: "what runs have cost in FLOPs, by piece of work, beside the paper's Table 6",
  topics: 'the topics of winnow: content, key, size and retention; creates those that are missing',
  tail: 'the last records of a topic, decoded, as JSON lines; follows new ones',
  'dead-letters': 'what was rejected and why; sends it again once the cause is fixed',
  gaps: 'records that were gone before they were read, and going on without them',
  replay: 'recomputes a run from its recorded streams under a new name and compares the two bit by bit',
  simulate: 'runs rounds of recorded rewards over labelled documents, on files only',
  strategies: 'the methods that a run can select by, ready to name in run.yaml',
  proxies: 'finds initial weights of an actor from many small runs that differ in their mixture alone (RegMix)',
  experiment: 'trains many small models by a plan, strategies by seeds by budgets, and compares them with random',
  mates: 'fits texts to the rewards of a live run, stage by stage, and has it select by the predictions (MATES)',
  labeler: 'trains, evaluates, compares and runs labelers, and tells their versions',
  influence: 'checks how far rewards can be trusted',
  topology: 'the dataflow of a run: its stations and the topics between them',
  completion: 'a completion script for your shell',
} as const
export type CommandName = keyof typeof summaries
