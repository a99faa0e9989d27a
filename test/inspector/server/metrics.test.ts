import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createActor, createMachine } from 'xstate';
import { defineAction } from '../../../actors/actions.ts';
import { spawnSupervisor, type InspectedSupervisor } from '../../../inspector/spawn.ts';
import { prometheusText } from '../../../inspector/server/prometheus.ts';
import { serveInspector } from '../../../inspector/server/server.ts';
import { tempStore } from '../../support/temp.ts';

let failed = false;
const actions = {
  'say "hi"\\': defineAction({ run: (text: string) => text }),
  flaky: defineAction({
    run: () => {
      failed = !failed;
      if (failed) throw new Error('at first');
      return 1;
    },
    retry: { attempts: 3, delayMs: 1 },
  }),
};

let supervisor: InspectedSupervisor<typeof actions>;
let text: string;
beforeAll(async () => {
  supervisor = await spawnSupervisor({
    store: tempStore(),
    actions,
    profiler: 'full',
    inspector: { port: 0, announce: () => {} },
  });
  for (let nth = 0; nth < 5; nth += 1) await supervisor.execute('say "hi"\\', 'x');
  await supervisor.execute('flaky', undefined as never);
  text = await scrape(supervisor.inspector?.url ?? '');
});
afterAll(() => supervisor.close());

async function scrape(url: string): Promise<string> {
  const { origin, searchParams } = new URL(url);
  const response = await fetch(`${origin}/metrics`, {
    headers: { Authorization: `Bearer ${searchParams.get('token')}` },
  });
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  return response.text();
}

/** A metric's value, by its whole name with labels. */
const valueOf = (name: string) =>
  Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${name} `))
      ?.slice(name.length + 1),
  );

describe('what Prometheus scrapes', () => {
  test('is its text format: each metric with its help and its type, before its samples, once', () => {
    expect(text.endsWith('\n')).toBe(true);
    const declared = new Set<string>();
    const samples = new Set<string>();
    for (const line of text.trimEnd().split('\n')) {
      const [, kind, name = ''] = /^# (HELP|TYPE) (\S+) .+$/.exec(line) ?? [];
      if (kind === 'HELP') {
        expect(declared.has(name)).toBe(false);
        declared.add(name);
        continue;
      }
      if (kind === 'TYPE') {
        expect([...declared].at(-1)).toBe(name);
        continue;
      }
      const found =
        /^(perdure_[a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\\\|\\"|\\n)*",?)+\})? (-?\d+(?:\.\d+)?(?:e-?\d+)?|NaN|[+-]Inf)$/.exec(
          line,
        );
      expect(found, line).not.toBeNull();
      expect([...declared].at(-1)).toBe(found?.[1]?.replace(/_(?:sum|count)$/, ''));
      expect(samples.has(line.slice(0, line.lastIndexOf(' ')))).toBe(false);
      samples.add(line.slice(0, line.lastIndexOf(' ')));
    }
  });

  test('tells what was done, and what of it went how', () => {
    expect(valueOf('perdure_actions_total{outcome="ok"}')).toBe(5);
    expect(valueOf('perdure_actions_total{outcome="recovered"}')).toBe(1);
    expect(valueOf('perdure_action_attempts_total')).toBe(7);
    expect(valueOf('perdure_action_retries_total')).toBe(1);
    expect(valueOf('perdure_queue_depth{state="waiting"}')).toBe(0);
    expect(valueOf('perdure_budget_remaining_ratio')).toBeGreaterThan(0);
    expect(valueOf('perdure_restarts_total')).toBe(0);
    expect(valueOf('perdure_inspector_viewers')).toBe(0);
  });

  test('tells what was committed, in seconds and bytes', () => {
    expect(valueOf('perdure_commits_total')).toBeGreaterThan(5);
    expect(valueOf('perdure_commit_bytes_total')).toBeGreaterThan(1_000);
    expect(valueOf('perdure_commit_seconds_total')).toBeLessThan(10);
    expect(valueOf('perdure_database_bytes')).toBeGreaterThan(0);
    expect(valueOf('perdure_wal_bytes')).toBeGreaterThan(10_000);
    expect(valueOf('perdure_event_loop_delay_seconds')).toBeLessThan(10);
    expect(valueOf('perdure_resource_limit_bytes{resource="heap"}')).toBeGreaterThan(1e7);
  });

  test('tells how long actions took and waited, by name, whatever the name is', () => {
    const action = 'action="say \\"hi\\"\\\\"';
    expect(valueOf(`perdure_action_duration_seconds_count{${action}}`)).toBe(5);
    expect(valueOf(`perdure_action_duration_seconds{${action},quantile="0.99"}`)).toBeLessThan(10);
    expect(valueOf(`perdure_queue_latency_seconds_count{${action}}`)).toBe(5);
  });
});

test('where there is no supervisor only the viewers are told', async () => {
  const actor = createActor(createMachine({ id: 'a' })).start();
  await using server = await serveInspector(actor, { port: 0 });
  expect(await scrape(server.url)).toBe(
    '# HELP perdure_inspector_viewers Connections to the inspector.\n# TYPE perdure_inspector_viewers gauge\nperdure_inspector_viewers 0\n',
  );
});

test('no text of a label ends its line', () => {
  const samples = [{ value: Infinity, labels: { a: 'x\n# TYPE b gauge\r\n"\\' } }];
  expect(prometheusText([{ name: 'perdure_x', type: 'gauge', help: 'One\ntwo.', samples }])).toBe(
    '# HELP perdure_x One\\ntwo.\n# TYPE perdure_x gauge\nperdure_x{a="x\\n# TYPE b gauge\\n\\"\\\\"} +Inf\n',
  );
});
