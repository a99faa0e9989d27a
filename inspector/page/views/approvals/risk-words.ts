/** What the gate thinks of an action, in words. Pure. */
import type { Approval } from '../../../../actors/approval-ledger.ts';
import { percentText } from '../../format.ts';

const FACTORS: Readonly<Record<string, string>> = {
  impact: 'how much it touches',
  reversibility: 'whether it can be undone',
  clarity: 'how clear it is',
  history: 'how it went before',
  verdicts: 'what was answered before',
  wording: 'how it sounds',
  confidence: 'what the host says of it',
};

export interface RiskWords {
  readonly label: string;
  readonly value: string;
  /** What speaks for it and against it, the strongest first: `how it sounds −1.5`. */
  readonly factors: readonly string[];
}

/** The chance that it goes well, and what that is made of; of a result, how good it is. */
export function riskWords({ risk, reason }: Pick<Approval, 'risk' | 'reason'>): RiskWords {
  if (reason === 'quality') {
    return { label: 'Quality', value: `${percentText(risk.score)}, less than its floor`, factors: [] };
  }
  const factors = Object.entries(risk.factors ?? {})
    .toSorted(([, a], [, b]) => Math.abs(b) - Math.abs(a))
    .map(([name, offset]) => `${FACTORS[name] ?? name} ${offset > 0 ? '+' : '−'}${Math.abs(offset).toFixed(1)}`);
  return { label: 'Goes well', value: `${percentText(risk.score)} by the gate`, factors };
}
