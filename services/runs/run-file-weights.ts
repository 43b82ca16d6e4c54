import { type Document, isAlias, isCollection, isMap, parseDocument } from 'yaml'
import { defaultActors } from '../../topologies/selection/default-actors.ts'
import { WinnowError } from '../runtime/errors.ts'

/**
 * The text of a run's file with `initialWeights: {from: CAMPAIGN}` for an actor, and `firstSelection: weights` so that round 0 shows them; comments
 * and all else stay as they are.
 * @param keepsFirst leave `firstSelection` as it is
 * @throws WinnowError CONFIGURATION where the file has no such actor
 */
export function withInitialWeights(
  text: string,
  { actor, campaign, keepsFirst }: { readonly actor: string; readonly campaign: string; readonly keepsFirst: boolean },
): string {
  const document = parseDocument(text)
  const path = ['selection', 'actors']
  // Left out, or all of an actor left out, means the defaults: they are written, or the file would lose the other actors.
  if (!isMap(document.getIn(path))) {
    const defaults = Object.fromEntries(Object.keys(defaultActors).map((name) => [name, {}]))
    document.setIn(path, document.createNode(defaults, { flow: isFlow(document, ['selection']) }))
  }
  if (!document.hasIn([...path, actor])) {
    const names = Object.keys((document.toJS() as { selection: { actors: object } }).selection.actors)
    throw new WinnowError('CONFIGURATION', `the run has no actor ${actor}; nothing is applied`, {
      hint: `Its actors: ${names.join(', ')}.`,
    })
  }
  // An actor that is another one by reference becomes one of its own.
  const own = document.getIn([...path, actor], true)
  if (isAlias(own)) document.setIn([...path, actor], document.createNode(own.toJS(document), { flow: true }))
  document.setIn([...path, actor, 'initialWeights'], document.createNode({ from: campaign }, { flow: true }))
  if (!keepsFirst) document.setIn(['selection', 'firstSelection'], 'weights')
  // Lines are not folded anew: only what is set changes.
  return document.toString({ lineWidth: 0, flowCollectionPadding: true })
}

function isFlow(document: Document, path: readonly string[]): boolean {
  const node = document.getIn(path, true)
  return isCollection(node) && node.flow === true
}
