import { expect, test } from 'vitest';
import * as perdure from '../index.ts';
import * as inspector from '../inspector/index.ts';
import * as machines from '../machines/index.ts';
import * as testing from '../testing.ts';

test('the public names are these, and a change of them is meant', () => {
  expect({
    perdure: Object.keys(perdure).sort(),
    machines: Object.keys(machines).sort(),
    inspector: Object.keys(inspector).sort(),
    testing: Object.keys(testing).sort(),
  }).toEqual({
    perdure: [
      'PerdureError',
      'RETRY_PRESETS',
      'Store',
      'Supervisor',
      'commonSecrets',
      'createDurableActor',
      'defineAction',
      'durableAction',
      'effectOf',
      'encryption',
      'forkStore',
      'forkTree',
      'isPerdureError',
      'onRestart',
      'onRestore',
      'redaction',
      'reveal',
      'secret',
      'sendToTree',
      'spawnSupervisor',
      'supervise',
      'transactional',
    ],
    machines: [
      'DEFAULT_RETRY',
      'actionMachine',
      'approvalsMachine',
      'backOffMs',
      'backgroundMachine',
      'budgetMachine',
      'checkpointMachine',
      'componentMachine',
      'degradationMachine',
      'executorMachine',
      'forecast',
      'profilerMachine',
      'resourcesMachine',
      'retentionMachine',
      'schedulesMachine',
      'supervisorMachine',
      'tracksMachine',
    ],
    inspector: ['Recorder', 'chartOf', 'deskBeside', 'fileSource', 'inspectorHandler', 'serveInspector', 'storeSource'],
    testing: ['SimulatedClock', 'checkDurable', 'crash', 'failStore'],
  });
});

test('what a supervisor can be asked is this', () => {
  const names = Object.getOwnPropertyNames(perdure.Supervisor.prototype).filter((name) => name !== 'constructor');
  expect(names.sort()).toEqual([
    'amendPlan',
    'approvals',
    'approve',
    'cancel',
    'checkpoint',
    'close',
    'component',
    'configure',
    'debts',
    'deny',
    'durable',
    'execute',
    'health',
    'joinPlan',
    'on',
    'optimize',
    'pause',
    'plan',
    'preparePlan',
    'progress',
    'reprioritise',
    'reset',
    'resume',
    'resumed',
    'retryNow',
    'retryPlan',
    'runNow',
    'stats',
    'submit',
    'workContinuously',
    'workOff',
  ]);
});
