import { hello } from '../../connection.ts';
import { CopyButton } from '../../ui/json-tree.tsx';
import { Panel } from '../../ui/panel.tsx';

/** What somebody sees whose store is empty: what makes something appear. */
export function FirstSteps() {
  const store = hello.value?.store?.path ?? 'work.db';
  const command = `perdure run plan.yaml --store ${store}`;
  const code = [
    "const handle = await supervisor.submit('greet', { name: 'Ada' });",
    'const outcome = await handle.outcome;',
    'console.log(outcome.kind, outcome.value);',
  ].join('\n');
  return (
    <Panel title="Nothing has happened here yet" icon="bolt">
      <p class="soft">
        This page fills by itself. Submit an action to the supervisor, and it appears here while it runs, with its
        attempts, its outcome, and what it cost:
      </p>
      <Sample text={code} label="Copy the code" />
      <p class="soft">Or run a plan from the command line:</p>
      <Sample text={command} label="Copy the command" />
    </Panel>
  );
}

function Sample({ text, label }: { readonly text: string; readonly label: string }) {
  return (
    <div class="sample">
      <pre>{text}</pre>
      <CopyButton value={text} label={label} />
    </div>
  );
}
