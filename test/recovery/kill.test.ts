/** PERDURE_KILLS and PERDURE_SEED raise the number of kills and repeat a run. */
import { expect, test } from 'vitest';
import { tempFolder } from '../support/temp.ts';
import { killAtRandom } from './kills.ts';

const kills = Number(process.env['PERDURE_KILLS'] ?? 200);
const seed = Number(process.env['PERDURE_SEED'] ?? Date.now() % 1_000_000);
/** The judge reads all that a run did: several short runs cost less than a long one. */
const KILLS_A_RUN = 50;

test(`after ${kills} kills at random moments nothing is lost, doubled, early or out of order (PERDURE_SEED=${seed})`, async () => {
  for (let done = 0; done < kills; done += KILLS_A_RUN) {
    const report = await killAtRandom({
      folder: tempFolder(),
      calmFolder: tempFolder(),
      seed: seed + done,
      kills: Math.min(KILLS_A_RUN, kills - done),
    });
    expect(report.wrong, `PERDURE_SEED=${seed}`).toEqual([]);
  }
});
