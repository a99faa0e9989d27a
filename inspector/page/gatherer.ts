/** Takes in what a feed says, and shows it once a frame, however much it is. */
import type { ServerMessage } from '../protocol.ts';
import { emptyIntake, take, type Intake } from './intake.ts';
import { applyIntake } from './store.ts';

/** A page that nobody sees gets no frames. */
const HIDDEN_MS = 250;

export class Gatherer {
  #intake: Intake = emptyIntake();
  #isDue = false;
  #isClosed = false;

  hear(message: ServerMessage): void {
    this.#intake = take(this.#intake, message);
    if (this.#isDue) return;
    this.#isDue = true;
    if (document.hidden) setTimeout(() => this.flush(), HIDDEN_MS);
    else requestAnimationFrame(() => this.flush());
  }

  /** Shows what has come, now. */
  flush(): void {
    this.#isDue = false;
    const taken = this.#intake;
    this.#intake = emptyIntake();
    if (!this.#isClosed) applyIntake(taken);
  }

  close(): void {
    this.#isClosed = true;
  }
}
