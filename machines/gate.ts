/**
 * Whether an action may run, and how: a score from evidence, and rules that no score overrides. Scores are probabilities of
 * going well; evidence adds up in log-odds, so that no factor decides alone.
 *
 *   immediate    runs
 *   monitored    runs, and its duration is watched
 *   reversible   runs, and is undone when it fails
 *   ask          waits for an approval
 *
 * G1  What was approved does not ask again; it is watched, and undone on failure if it can be and its score is low.
 * G2  What is said to be irreversible and is critical asks, whatever the score. So does what matters (medium impact and
 *     above) when the error budget is exhausted.
 * G3  What would run only because it can be undone asks when it cannot: nobody said that it is reversible, and it has no
 *     undo. Saying that it is irreversible outweighs an undo.
 * G4  What is harmless does not ask: low impact, no destructive word, never denied, and no confidence given.
 * G5  One more success never lowers a score, one more failure never raises it.
 */
import { tightened, DEFAULT_THRESHOLDS, type Caution, type Thresholds } from './thresholds.ts';
import { wordingOf } from './wording.ts';

export type Impact = 'low' | 'medium' | 'high' | 'critical';

/** How an action may run, the most freely first. */
export type Band = 'immediate' | 'monitored' | 'reversible' | 'ask';

/** What is known of an action before it runs. */
export interface Evidence {
  readonly impact: Impact;
  /** Null when nobody said. */
  readonly reversible: boolean | null;
  readonly hasUndo: boolean;
  /** How clear the request is, 0 to 1; null when nobody said. */
  readonly clarity: number | null;
  /** A score given by the host, 0 to 1: it replaces the computed one. */
  readonly confidence: number | null;
  /** What is read for risky words: the action's name, and what it is about to do. */
  readonly summary: string;
  /** How actions of this name ended before. */
  readonly successes: number;
  readonly failures: number;
  /** How often people approved actions of this name since one was last denied, and the other way round. */
  readonly approvals: number;
  readonly denials: number;
  /** Whether this very action was approved. */
  readonly approved: boolean;
}

/** A score, and what it is made of: log-odds that add up to the score's, factors without effect left out. */
export interface Score {
  readonly score: number;
  readonly factors: Readonly<Record<string, number>>;
}

/** What the gate decided, and why. */
export interface Decision extends Score {
  readonly band: Band;
}

/** Options of {@link decide}. */
export interface GateSettings {
  readonly thresholds?: Thresholds;
  readonly caution?: Caution;
  /** Turns a computed score into one that outcomes have borne out. Default: as it is. */
  readonly calibrate?: (score: number) => number;
}

const IMPACT: Readonly<Record<Impact, number>> = { low: 3, medium: 1.5, high: 0, critical: -1.5 };
const REVERSIBILITY = 0.7;
const CLARITY = 2;
const VERDICTS = 0.9;
const DESTRUCTIVE = -1.5;
const BENIGN = 0.5;
/** History moves a score by at most this. */
const HISTORY = 2;
/** Before its first run an action counts as one that went well seven times out of ten. */
const PRIOR = { successes: 7, failures: 3 };
/** One-sided 95 %. */
const Z = 1.64;
/** A confidence of 0 or 1 has no log-odds. */
const NEARLY = 1e-4;

/** Scores the evidence and says how the action may run. */
export function decide(evidence: Evidence, { thresholds, caution, calibrate }: GateSettings = {}): Decision {
  const { score: raw, factors } = scoreOf(evidence);
  const score = calibrate === undefined || evidence.confidence !== null ? raw : calibrate(raw);
  return { band: bandOf(score, evidence, thresholds, caution), score, factors };
}

/** The probability that it goes well, from the evidence. */
export function scoreOf(evidence: Evidence): Score {
  const { confidence } = evidence;
  if (confidence !== null) return { score: confidence, factors: { confidence: rounded(logit(confidence)) } };
  const all = {
    impact: IMPACT[evidence.impact],
    reversibility: reversibility(evidence),
    clarity: evidence.clarity === null ? 0 : CLARITY * (evidence.clarity - 0.5),
    history: history(evidence),
    verdicts: verdicts(evidence),
    wording: wording(evidence),
  };
  const factors: Record<string, number> = {};
  let sum = 0;
  for (const [name, offset] of Object.entries(all)) {
    if (rounded(offset) === 0) continue;
    factors[name] = rounded(offset);
    sum += rounded(offset);
  }
  return { score: 1 / (1 + Math.exp(-sum)), factors };
}

function reversibility({ reversible, hasUndo }: Evidence): number {
  if (reversible === false) return -REVERSIBILITY;
  return reversible === true || hasUndo ? REVERSIBILITY : 0;
}

/** G5: how much better its lower confidence bound is than that of an action nobody has run. */
function history({ successes, failures }: Evidence): number {
  const bound = (more: number, less: number) =>
    logit(wilsonLower(PRIOR.successes + more, PRIOR.successes + PRIOR.failures + more + less, Z));
  return Math.max(-HISTORY, Math.min(HISTORY, bound(successes, failures) - bound(0, 0)));
}

function verdicts({ approvals, denials }: Evidence): number {
  if (denials > 0) return -VERDICTS;
  return approvals > 0 ? VERDICTS : 0;
}

function wording({ summary }: Evidence): number {
  const sounds = wordingOf(summary);
  if (sounds === 'plain') return 0;
  return sounds === 'destructive' ? DESTRUCTIVE : BENIGN;
}

/** The lower end of Wilson's interval for a proportion of `successes` in `n`; 0 when n is. */
export function wilsonLower(successes: number, n: number, z: number): number {
  if (n === 0) return 0;
  const rate = successes / n;
  const square = (z * z) / n;
  const spread = z * Math.sqrt((rate * (1 - rate) + square / 4) / n);
  return Math.max(0, (rate + square / 2 - spread) / (1 + square));
}

function logit(probability: number): number {
  const inside = Math.min(1 - NEARLY, Math.max(NEARLY, probability));
  return Math.log(inside / (1 - inside));
}

function rounded(offset: number): number {
  return Math.round(offset * 1_000) / 1_000;
}

/** How an action of this score may run: G1 to G4. */
export function bandOf(
  score: number,
  evidence: Evidence,
  thresholds: Thresholds = DEFAULT_THRESHOLDS,
  caution: Caution = 0,
): Band {
  const free = freeBand(score, tightened(thresholds, caution));
  const isTrusted = free === 'immediate' || free === 'monitored';
  if (evidence.approved) return isTrusted ? 'monitored' : withoutAsking(evidence);
  if (mustAsk(evidence, caution)) return 'ask';
  if (isTrusted || (free === 'reversible' && canBeUndone(evidence))) return free;
  return isHarmless(evidence) ? withoutAsking(evidence) : 'ask';
}

/** A score that is no number reaches no threshold. */
function freeBand(score: number, { immediate, monitored, reversible }: Thresholds): Band {
  if (score >= immediate) return 'immediate';
  if (score >= monitored) return 'monitored';
  return score >= reversible ? 'reversible' : 'ask';
}

function mustAsk({ impact, reversible }: Evidence, caution: Caution): boolean {
  return (impact === 'critical' && reversible === false) || (caution === 3 && impact !== 'low');
}

function canBeUndone({ reversible, hasUndo }: Evidence): boolean {
  return reversible ?? hasUndo;
}

function isHarmless({ impact, confidence, denials, summary }: Evidence): boolean {
  return impact === 'low' && confidence === null && denials === 0 && wordingOf(summary) !== 'destructive';
}

function withoutAsking({ hasUndo, reversible }: Evidence): Band {
  return hasUndo || reversible === true ? 'reversible' : 'monitored';
}
