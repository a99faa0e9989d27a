/**
 * The benchmark program: `node bench/run.mjs <suite> [--only key,key] [--json]`. The result is all that it prints on
 * stdout; what it is doing goes to stderr.
 */
import { parseArgs } from 'node:util';
import { durable } from './durable.mjs';
import { inspect } from './inspect.mjs';
import { observe } from './observe.mjs';
import { pipeline } from './pipeline.mjs';
import { removeScratch } from './scratch.mjs';
import { work } from './work.mjs';

/** @typedef {import('./durable.mjs').Measure} Measure */
/** @typedef {import('./durable.mjs').Result} Result */

/** @type {Readonly<Record<string, readonly Measure[]>>} */
const SUITES = { durable, pipeline, work, observe, inspect };

const HELP = `Usage: node bench/run.mjs <suite> [options]

Measures Perdure beside the raw limit of this machine, in the same run: compare ratios, not absolute figures.

  --only <key,...>   measure these keys and nothing else
  --json             print one JSON document: { results: { <key>: { value, unit, ratio, against } } }
  --help             show this text

${listing()}`;

function listing() {
  const suites = Object.entries(SUITES).map(
    ([name, measures]) => `  ${name}\n${measures.map(({ key }) => `    ${key}`).join('\n')}\n`,
  );
  return `Suites and their keys:\n\n${suites.join('\n')}`;
}

/** Something was asked for that does not exist. */
class UsageError extends Error {}

function readOptions() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: { only: { type: 'string' }, json: { type: 'boolean' }, help: { type: 'boolean' } },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/**
 * @param {readonly string[]} suites
 * @param {string | undefined} only
 * @returns {readonly Measure[]}
 */
function choose([name, ...more], only) {
  const measures = SUITES[name ?? ''];
  if (measures === undefined || more.length > 0)
    throw new UsageError(`Expected one suite, got "${[name, ...more].join(' ')}".`);
  if (only === undefined) return measures;
  const keys = only.split(',');
  const unknown = keys.filter((key) => !measures.some((measure) => measure.key === key));
  if (unknown.length > 0) throw new UsageError(`The suite "${name}" has no key "${unknown.join('", "')}".`);
  return measures.filter(({ key }) => keys.includes(key));
}

/** @param {readonly Measure[]} measures */
async function measureAll(measures) {
  /** @type {Record<string, Result>} */
  const results = {};
  for (const { key, run } of measures) {
    const began = performance.now();
    process.stderr.write(`${key} ... `);
    results[key] = await run();
    process.stderr.write(`${((performance.now() - began) / 1_000).toFixed(1)} s\n`);
  }
  return results;
}

/**
 * @param {readonly Measure[]} measures
 * @param {Readonly<Record<string, Result>>} results
 */
function table(measures, results) {
  const rows = Object.entries(results).map(([key, { value, unit, ratio, against }]) => [
    key,
    `${round(value)} ${unit}`,
    ratio.toFixed(2),
    measures.find((measure) => measure.key === key)?.aim ?? '',
    against,
  ]);
  const all = [['key', 'value', 'ratio', 'aim', 'against'], ...rows];
  const width = (/** @type {number} */ column) => Math.max(...all.map((row) => row[column]?.length ?? 0));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(width(column)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** @param {number} value */
function round(value) {
  return value.toLocaleString('en', { maximumSignificantDigits: value >= 1_000 ? 6 : 3, maximumFractionDigits: 2 });
}

async function main() {
  const { values, positionals } = readOptions();
  if (values.help === true) return console.log(HELP);
  const measures = choose(positionals, values.only);
  try {
    const results = await measureAll(measures);
    console.log(values.json === true ? JSON.stringify({ results }, undefined, 2) : table(measures, results));
  } finally {
    removeScratch();
  }
}

try {
  await main();
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message}\n\n${listing()}`);
  process.exitCode = 2;
}
