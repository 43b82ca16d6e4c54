/** The paper's actors and their subcategories, in order (SELECTION.md, "Default actors"). */
export const defaultActors: Readonly<Record<string, readonly string[]>> = {
  quality: ['0-1', '1-2', '2-3', '3-4', '4-5'],
  domain: ['ArXiv', 'Book', 'C4', 'CommonCrawl', 'GitHub', 'StackExchange', 'Wikipedia'],
  topic: [
    'Activity',
    'Education',
    'Entertainment',
    'Finance',
    'Health',
    'Business and Industrial',
    'Infrastructure',
    'Literature and Art',
    'Nature',
    'Others',
    'Law and Government',
    'Networking',
    'Technology',
  ],
}
