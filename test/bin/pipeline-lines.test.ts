import { expect, test } from 'vitest';
import type { Approval } from '../../actors/approval-ledger.ts';
import { decisionCommand, riskText, silenceText } from '../../bin/approval-text.ts';
import {
  answeredLine,
  budgetLine,
  componentLine,
  pressureLine,
  requestedLines,
  slowLine,
  undoFailedLine,
} from '../../bin/pipeline-lines.ts';
import { standingLines } from '../../bin/standing.ts';
import { NO_PAINT } from '../../bin/terminal.ts';

const APPROVAL: Approval = {
  id: 'n:1/drop?1',
  action: 'n:1/drop',
  name: 'n/drop',
  summary: 'Drop the table\nreally',
  risk: { band: 'ask', score: 0.0712, factors: { reversibility: -0.7, impact: -1.5, history: 0.25 } },
  undo: null,
  reason: 'gate',
  askedAt: 1_000,
  expiresAt: 61_000,
  onSilence: 'deny',
  state: 'open',
  by: null,
  note: null,
  decidedAt: null,
};

test('whoever is asked reads what will be done, how risky that is, what silence means, and the commands that answer', () => {
  expect(requestedLines('drop', APPROVAL, '/stores/work.db', NO_PAINT, 1_000)).toEqual([
    '? drop asks: Drop the table (goes well with 0.07 (impact -1.5, reversibility -0.7, history +0.3); undo: none); denied in 1m 00s',
    '    perdure approve n:1/drop --store /stores/work.db',
    '    perdure deny n:1/drop --store /stores/work.db',
  ]);
});

test('a command that is shown is one that a shell takes as it is meant', () => {
  expect(decisionCommand('approve', `night's work:1/a b`, '/a b/$x.db')).toBe(
    `perdure approve 'night'\\''s work:1/a b' --store '/a b/$x.db'`,
  );
});

test('silence waits, answers in a while, or has answered while nobody looked', () => {
  expect(silenceText({ onSilence: 'wait', expiresAt: null }, 0)).toBe('waits until somebody answers');
  expect(silenceText({ onSilence: 'approve', expiresAt: 500 }, 0)).toBe('approved in 500ms');
  expect(silenceText({ onSilence: 'approve', expiresAt: 500 }, 500)).toBe('approved as soon as the run goes on');
  expect(riskText({ ...APPROVAL, reason: 'quality' })).toBe('only a quality of 0.07 can be had, less than its floor');
});

test('what becomes of approvals, components, the budget, slow steps and undoing is told in a line each', () => {
  const settled = { id: 'x?1', action: 'x', by: 'ann', note: 'no\nnever' } as const;
  expect(answeredLine('x', { ...settled, decision: 'deny' }, NO_PAINT)).toBe('? x denied by ann: no');
  expect(answeredLine('x', { ...settled, decision: 'approve', note: null }, NO_PAINT)).toBe('? x approved by ann');
  expect(answeredLine('x', { ...settled, decision: 'withdraw', by: null, note: null }, NO_PAINT)).toBe(
    '? x asks no more',
  );
  const component = { type: 'component.changed', name: 'db', loss: 1, at: 0 } as const;
  expect(componentLine({ ...component, status: 'down' }, 0, NO_PAINT)).toBe(
    '⚡ component db: its circuit is open, and nothing stands in; tried again after 1970-01-01T00:00:00.000Z',
  );
  expect(componentLine({ ...component, status: 'operational' }, null, NO_PAINT)).toBe('⚡ component db: works');
  const budget = { type: 'budget.changed', burn: 2, spent: 1.5, concentration: 1, fresh: [], at: 0 } as const;
  expect(budgetLine({ ...budget, tier: 'exhausted' }, NO_PAINT)).toBe(
    '⚖ error budget, 150 % spent, is exhausted: the gate is stricter, 25 % of the steps at once, optional steps wait',
  );
  expect(slowLine('x', 2_000, NO_PAINT)).toBe('… x is slow: it takes longer than 2.0s, as it seldom did before');
  const error = { name: 'E', code: null, message: 'no\nway', class: 'transient', fingerprint: '0' } as const;
  expect(undoFailedLine('x', error, NO_PAINT)).toBe('✖ x was not undone: no');
});

test('a store in which all is well says nothing more, and one with debts says whose', () => {
  const calls = { total: 0, failed: 0, slow: 0 };
  const db = { name: 'db', status: 'operational', openUntil: null, opens: 0, calls, retriesLeft: 9 } as const;
  expect(standingLines({ budget: 'healthy', components: [db], debts: [] })).toEqual([]);
  const debt = { id: 'n:1/test', name: 'command', component: 'db', fallback: 'skip' };
  const debts = [
    {
      ...debt,
      quality_loss: 1,
      incurred_at: 0,
      state: 'owed',
      payment: null,
      paid_at: null,
      tries: 0,
      retry_at: null,
      sources: null,
    },
  ] as const;
  expect(standingLines({ components: [{ ...db, status: 'bypassed' }], debts })).toEqual([
    'component db: bypassed by an operator',
    'owed since a fallback stood in: n:1/test',
  ]);
  expect(standingLines({ components: [db], debts: debts.map((one) => ({ ...one, state: 'unpayable' })) })).toEqual([
    'owed, and failed for good when it was tried: n:1/test',
  ]);
});

test('a run says what a shortage means to it, and nothing of the room that is made', () => {
  const acted = { type: 'pressure.acted', resources: ['heap', 'disk'], limit: 1, relief: null, error: null } as const;
  const lines = (['throttle', 'cleanUp', 'prune', 'runCleanups', 'shed', 'restart', 'recover'] as const).map((action) =>
    pressureLine({ ...acted, action }, NO_PAINT),
  );
  expect(lines).toEqual([
    '▼ short of heap, disk: 1 step at once',
    undefined,
    undefined,
    undefined,
    '▼ short of heap, disk: optional steps that wait are left out',
    '▼ short of heap, disk, and nothing helps: stop this run, and start it again',
    '▲ nothing is short any more',
  ]);
});
