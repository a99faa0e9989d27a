/**
 * What the words of a text say of risk.
 *
 * W1  Whole words count, in any case and inflection: "latest" is no test, "checkout" no check, "prefix" no fix.
 * W2  Destructive beats benign: "Fix by deleting table" is destructive.
 * W3  Doubt costs. A part of an identifier (`dropTable`) can make a text destructive, never benign; so can a word that is
 *     negated ("do not delete"), because nobody here reads sentences.
 */

/** What a text sounds like. */
export type Wording = 'destructive' | 'benign' | 'plain';

const DESTRUCTIVE = words(
  'delet(?:e[ds]?|ing|ions?)|del',
  'remov(?:e[ds]?|ing|als?)|rm|rmdir|rmtree|rimraf|unlink(?:s|ed|ing)?',
  'drop(?:s|ped|ping)?',
  'destroy(?:s|ed|ing)?|destructions?',
  'eras(?:e[ds]?|ing|ures?)|expung(?:e[ds]?|ing)|obliterat(?:e[ds]?|ing)',
  'wip(?:e[ds]?|ing)|shred(?:s|ded|ding)?|nuk(?:e[ds]?|ing)|mkfs',
  'purg(?:e[ds]?|ing)|prun(?:e[ds]?|ing)',
  'truncat(?:e[ds]?|ing|ions?)',
  'overwrit(?:es?|ing|ten)|overwrote|clobber(?:s|ed|ing)?',
  'kill(?:s|ed|ing)?|terminat(?:e[ds]?|ing|ions?)',
  'revok(?:e[ds]?|ing)|revocations?',
  'uninstall(?:s|ed|ing)?|deprovision(?:s|ed|ing)?|decommission(?:s|ed|ing)?',
  'forc(?:e[ds]?|ing)|discard(?:s|ed|ing)?',
);

const BENIGN = words(
  'test(?:s|ed|ing)?',
  'verif(?:y|ies|ied|ying|ications?)|validat(?:e[ds]?|ing|ions?)',
  'check(?:s|ed|ing)?|inspect(?:s|ed|ing|ions?)?|lint(?:s|ed|ing)?',
  'fix(?:es|ed|ing)?|bugs?|bugfix(?:es)?',
);

function words(...forms: string[]): RegExp {
  return new RegExp(`(?<![\\p{L}\\p{M}])(?:${forms.join('|')})(?![\\p{L}\\p{M}])`, 'iu');
}

/** Tells what a text sounds like: a summary, the name of an action, or both. */
export function wordingOf(text: string): Wording {
  const seen = asSeen(text);
  if (DESTRUCTIVE.test(seen) || DESTRUCTIVE.test(inParts(seen))) return 'destructive';
  return BENIGN.test(seen) ? 'benign' : 'plain';
}

/** The letters that a reader sees: wide forms and ligatures as plain letters, and nothing invisible between them. */
function asSeen(text: string): string {
  return text.normalize('NFKC').replace(/\p{Cf}/gu, '');
}

/** `dropTable` and `DROPTable` as two words. */
function inParts(text: string): string {
  return text.replace(/(\p{Ll})(?=\p{Lu})|(\p{Lu})(?=\p{Lu}\p{Ll})/gu, '$1$2 ');
}
