/** Measuring in a process of its own: nothing compiled, nothing cached, and a heap that holds nothing else. */
import { execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** @param {string} script */
function pathOf(script) {
  return fileURLToPath(new URL(`./fresh/${script}.mjs`, import.meta.url));
}

/**
 * What `bench/fresh/<script>.mjs` prints.
 * @param {string} script
 * @param {readonly unknown[]} args
 * @returns {Promise<any>}
 */
export async function inFreshProcess(script, args = []) {
  const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', pathOf(script), ...args.map(String)]);
  return stdout === '' ? undefined : JSON.parse(stdout);
}

/** A process that stays, and measures whenever it is asked to. */
export class Worker {
  #process;

  /**
   * @param {string} script
   * @param {readonly unknown[]} args
   */
  constructor(script, args) {
    this.#process = fork(pathOf(script), args.map(String), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  }

  /**
   * @param {unknown} question
   * @returns {Promise<any>}
   */
  ask(question) {
    return new Promise((resolve, reject) => {
      const died = () => reject(new Error('The measuring process died.'));
      this.#process.once('exit', died);
      this.#process.once('message', (answer) => {
        this.#process.off('exit', died);
        resolve(answer);
      });
      this.#process.send(/** @type {any} */ (question));
    });
  }

  async end() {
    this.#process.disconnect();
    await once(this.#process, 'exit');
  }
}
