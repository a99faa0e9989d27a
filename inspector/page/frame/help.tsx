import { Dialog } from '../ui/dialog.tsx';
import { VIEWS } from '../views/index.ts';
import { isHelpOpen } from './keyboard.ts';

const KEYS: readonly (readonly [string, string])[] = [
  ['Ctrl K', 'Go anywhere, give any command'],
  ['/', 'Search in this view'],
  ['j k', 'Next and previous in a list'],
  ['Enter', 'Open what is selected'],
  ['Esc', 'Close, or leave the search'],
  ['Home End', 'First and last of a list'],
  ['Shift T', 'Light, dark, or as the system has it'],
  ['?', 'These keys'],
];

/** The keys that there are. */
export function Help() {
  return (
    <Dialog title="Keys" size="medium" onClose={() => (isHelpOpen.value = false)}>
      <div class="help-columns">
        <dl class="help">
          {KEYS.map(([keys, text]) => (
            <div key={keys}>
              <dt>
                {keys.split(' ').map((key) => (
                  <kbd key={key}>{key}</kbd>
                ))}
              </dt>
              <dd>{text}</dd>
            </div>
          ))}
        </dl>
        <dl class="help">
          {VIEWS.map(({ id, key, title }) => (
            <div key={id}>
              <dt>
                <kbd>g</kbd>
                <kbd>{key}</kbd>
              </dt>
              <dd>{title}</dd>
            </div>
          ))}
        </dl>
      </div>
    </Dialog>
  );
}
