/**
 * The tables of the error budget. `budget_buckets` is a ring: a bucket of time has the slot of its number, modulo what
 * the policy needs, and takes it over from the one a round before; so the table never grows beyond a period, and nothing
 * has to be removed. `budget_faults` has a row per kind of fault and longer bucket.
 */
import type { TableSpec } from '../persistence/schema.ts';

export const BUDGET_TABLES: readonly TableSpec[] = [
  {
    name: 'budget_buckets',
    key: 'slot',
    columns: ['slot integer primary key', 'bucket integer not null', 'good real not null', 'bad real not null'],
    indexes: ['create index if not exists budget_buckets_bucket on budget_buckets(bucket)'],
  },
  {
    name: 'budget_faults',
    key: 'id',
    columns: [
      'id text primary key',
      'bucket integer not null',
      'fingerprint text not null',
      'class text',
      'component text',
      'n real not null',
    ],
    indexes: ['create index if not exists budget_faults_bucket on budget_faults(bucket)'],
  },
];
