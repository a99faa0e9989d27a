import { render } from 'preact';
import { App } from './app.tsx';
import { start } from './start.ts';
import './theme.css';
import './base.css';
import './ui/ui.css';
import './frame/frame.css';

const root = document.querySelector('#app');
if (root !== null) {
  start();
  render(<App />, root);
}
