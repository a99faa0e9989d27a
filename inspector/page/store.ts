/** Puts what a feed has said where the page looks: the signals of connection.ts. */
import { batch } from '@preact/signals';
import { hello, lastCommitted, missed, records, recordsVersion, registry, untold } from './connection.ts';
import { registryAfter, type Intake } from './intake.ts';
import { toast } from './ui/toast.tsx';

const MOST_MISSED = 50;

/** The number of the next record that we do not have, and of which epoch; null before the first hello. */
let epoch: string | null = null;
let next = 0;
/** The number of the next record when we first came to this epoch, and when this connection began. */
let cameAt = 0;
let connectedAt = 0;

export function position(): { readonly epoch: string; readonly seq: number } | null {
  return epoch === null ? null : { epoch, seq: next };
}

export function applyIntake(intake: Intake): void {
  batch(() => {
    if (intake.hello !== null) {
      // Of one that resumes, what we missed follows; of a new one, what its ring still holds.
      if (epoch !== intake.hello.epoch) {
        next = 0;
        cameAt = intake.hello.seq;
      }
      connectedAt = intake.hello.seq;
      epoch = intake.hello.epoch;
      hello.value = intake.hello;
    }
    registry.value = registryAfter(registry.peek(), intake, connectedAt);
    if (intake.registry !== null) untold.value = intake.registry.more;
    if (intake.records.length > 0) {
      records.add(intake.records);
      next = Math.max(next, (intake.records.at(-1)?.seq ?? 0) + 1);
      recordsVersion.value += 1;
    }
    if (intake.missed.length > 0) {
      // What was gone before we first came is not missed by anybody.
      const told = intake.missed.filter(({ to, reason }) => reason === 'slow' || to > cameAt);
      if (told.length > 0) missed.value = [...missed.peek(), ...told].slice(-MOST_MISSED);
      next = Math.max(next, ...intake.missed.map(({ to }) => to));
    }
    if (intake.committed !== null) lastCommitted.value = intake.committed;
  });
  for (const { code, message } of intake.problems) toast({ tone: 'failed', title: code, text: message });
}

/** Before a server that has begun anew. */
export function forgetAll(): void {
  batch(() => {
    epoch = null;
    next = 0;
    records.clear();
    recordsVersion.value += 1;
    registry.value = new Map();
    missed.value = [];
    untold.value = 0;
    lastCommitted.value = null;
  });
}
