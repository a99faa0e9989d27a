/**
 * A plugin of Stryker that spares it the texts of errors: the second argument of `new PerdureError(code, message, …)`. A text
 * is for people. Tests hold what a program sees, the code and the facts, and those are mutated.
 */

/**
 * @typedef {{ readonly type: string, readonly callee?: { readonly name?: string }, readonly arguments?: readonly unknown[] }} Node
 * @param {{ readonly node: Node, readonly parent: Node | null }} path
 */
function shouldIgnore({ node, parent }) {
  const isText =
    parent?.type === 'NewExpression' && parent.callee?.name === 'PerdureError' && parent.arguments?.[1] === node;
  return isText ? 'the text of an error' : undefined;
}

export const strykerPlugins = [{ kind: 'Ignore', name: 'error-texts', value: { shouldIgnore } }];
