import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { Cgroup } from '../../actors/cgroup.ts';
import { tempFolder } from '../support/temp.ts';

/** A folder in which these files are. */
function rootWith(files: Readonly<Record<string, string>>): string {
  const root = tempFolder();
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  }
  return root;
}

const V2 = '30 24 0:26 / /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw\n';
const V1 =
  '31 24 0:27 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n' +
  '32 24 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n';

test('of version 2 the limit counts that is nearest, and cached files count for nothing', () => {
  const group = new Cgroup(
    rootWith({
      'proc/self/cgroup': '0::/app.slice/app.service\n',
      'proc/self/mountinfo': V2,
      'sys/fs/cgroup/app.slice/app.service/memory.max': 'max\n',
      'sys/fs/cgroup/app.slice/app.service/memory.high': '900\n',
      'sys/fs/cgroup/app.slice/app.service/memory.current': '300\n',
      'sys/fs/cgroup/app.slice/app.service/memory.stat': 'anon 200\ninactive_file 100\nactive_file 0\n',
      'sys/fs/cgroup/app.slice/memory.max': '1000\n',
      'sys/fs/cgroup/app.slice/memory.current': '800\n',
      'sys/fs/cgroup/app.slice/memory.stat': 'anon 600\ninactive_file 50\n',
      'sys/fs/cgroup/app.slice/app.service/cpu.max': '150000 100000\n',
      'sys/fs/cgroup/app.slice/cpu.max': 'max 100000\n',
    }),
  );
  expect(group.memory()).toEqual({ value: 750, limit: 1000 });
  expect(group.cpus()).toBe(1.5);
  expect(group.problems).toEqual([]);
});

test('of version 1, too, and each controller has a place of its own', () => {
  const group = new Cgroup(
    rootWith({
      'proc/self/cgroup': '5:memory:/docker/abc\n3:cpu,cpuacct:/docker/abc\n0::/docker/abc\n',
      'proc/self/mountinfo': V1.replace(' / /sys/fs/cgroup/memory', ' /docker/abc /sys/fs/cgroup/memory'),
      'sys/fs/cgroup/memory/memory.limit_in_bytes': '4096\n',
      'sys/fs/cgroup/memory/memory.usage_in_bytes': '2048\n',
      'sys/fs/cgroup/memory/memory.stat': 'cache 48\ninactive_file 1\ntotal_inactive_file 48\n',
      'sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us': '50000\n',
      'sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us': '100000\n',
    }),
  );
  expect(group.memory()).toEqual({ value: 2000, limit: 4096 });
  expect(group.cpus()).toBe(0.5);
});

test('a limit of 0 is told, and those beside it count', () => {
  const files = {
    'proc/self/cgroup': '0::/app\n',
    'proc/self/mountinfo': V2,
    'sys/fs/cgroup/app/memory.max': '0\n',
    'sys/fs/cgroup/app/memory.current': '300\n',
  };
  const none = new Cgroup(rootWith(files));
  expect(none.memory()).toBeUndefined();
  expect(none.problems).toEqual(['/sys/fs/cgroup/app/memory.max says 0']);
  const other = new Cgroup(rootWith({ ...files, 'sys/fs/cgroup/app/memory.high': '900\n' }));
  expect(other.memory()).toEqual({ value: 300, limit: 900 });
});

test('a group without a limit has nothing that could be exhausted', () => {
  const files = {
    'proc/self/mountinfo': V1,
    'proc/self/cgroup': '5:memory:/\n3:cpu,cpuacct:/\n',
    'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
    'sys/fs/cgroup/memory/memory.usage_in_bytes': '2048\n',
    'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': '-1\n',
  };
  const group = new Cgroup(rootWith(files));
  expect([group.memory(), group.cpus(), group.problems]).toEqual([undefined, undefined, []]);
});

test('what is unreadable, or not understood, is absent and named, and nothing throws', () => {
  const group = new Cgroup(rootWith({}));
  expect([group.memory(), group.cpus()]).toEqual([undefined, undefined]);
  if (process.platform === 'linux') expect(group.problems[0]).toContain('proc/self/cgroup cannot be read');

  const strange = new Cgroup(
    rootWith({
      'proc/self/cgroup': '0::/a\n',
      'proc/self/mountinfo': V2,
      'sys/fs/cgroup/a/memory.max': 'plenty\n',
      'sys/fs/cgroup/a/cpu.max': '0 what\n',
    }),
  );
  expect([strange.memory(), strange.cpus()]).toEqual([undefined, undefined]);
  expect(strange.problems).toEqual([expect.stringContaining('memory.max'), expect.stringContaining('cpu.max')]);
});

test.runIf(process.platform === 'linux')('the control group of this very process can be read', () => {
  const group = new Cgroup();
  expect(group.problems).toEqual([]);
  const { value, limit } = group.memory() ?? { value: 0, limit: 1 };
  expect(value).toBeLessThanOrEqual(limit);
});
