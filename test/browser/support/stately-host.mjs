/** What a web app does that is inspected by Stately's package: it is bundled as any web app is, and runs in the browser. */
import { createBrowserInspector } from '@statelyai/inspect';
import { createActor, createMachine } from 'xstate';

const light = createMachine({
  id: 'light',
  initial: 'green',
  states: { green: { on: { next: 'amber' } }, amber: { on: { next: 'red' } }, red: { on: { next: 'green' } } },
});

const button = document.createElement('button');
button.textContent = 'inspect';
document.body.append(button);
button.addEventListener('click', () => {
  const url = new URLSearchParams(location.search).get('viewer') ?? '';
  const inspector = createBrowserInspector({ url });
  const actor = createActor(light, { inspect: inspector.inspect }).start();
  button.textContent = 'next';
  button.addEventListener('click', () => actor.send({ type: 'next' }));
});
