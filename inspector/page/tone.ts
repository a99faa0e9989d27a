/** Which colour and which sign a word of the runtime has, the same everywhere in the page. Pure. */
import type { IconName } from './icons.ts';

export type Tone = 'ok' | 'running' | 'waiting' | 'retrying' | 'failed' | 'asking' | 'degraded' | 'neutral' | 'accent';

const TONES: Readonly<Record<string, Tone>> = {
  ok: 'ok',
  healthy: 'ok',
  recovered: 'ok',
  done: 'ok',
  applied: 'ok',
  approved: 'ok',
  closed: 'ok',
  open: 'ok',
  normal: 'ok',
  active: 'running',
  running: 'running',
  resumed: 'running',
  waiting: 'waiting',
  queued: 'waiting',
  ready: 'waiting',
  delayed: 'waiting',
  held: 'waiting',
  paused: 'waiting',
  pausing: 'waiting',
  skipped: 'waiting',
  cancelled: 'waiting',
  stopped: 'waiting',
  stopping: 'waiting',
  parked: 'degraded',
  retrying: 'retrying',
  'back-off': 'retrying',
  backingOff: 'retrying',
  elevated: 'retrying',
  throttled: 'retrying',
  asking: 'asking',
  expired: 'asking',
  degraded: 'degraded',
  failed: 'failed',
  error: 'failed',
  denied: 'failed',
  refused: 'failed',
  dead: 'failed',
  unhealthy: 'failed',
  critical: 'failed',
  shedding: 'failed',
};

/** The tone of a state, an outcome, a health; neutral for a word that it does not know. */
export function toneOf(word: string): Tone {
  return Object.hasOwn(TONES, word) ? TONES[word]! : 'neutral';
}

const ICONS: Readonly<Record<Tone, IconName>> = {
  ok: 'check',
  running: 'play',
  waiting: 'clock',
  retrying: 'retry',
  failed: 'cross',
  asking: 'question',
  degraded: 'degraded',
  neutral: 'dot',
  accent: 'dot',
};

export function iconOfTone(tone: Tone): IconName {
  return ICONS[tone];
}
