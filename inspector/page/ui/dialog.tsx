import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useId, useRef } from 'preact/hooks';
import { Button, IconButton } from './button.tsx';
import { useModal } from './focus.ts';

export interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
  /** Buttons at the foot. */
  readonly actions?: ComponentChildren;
  readonly size?: 'small' | 'medium' | 'large';
}

/** A window above the page, open for as long as it is drawn. Escape and a click beside it close it. */
export function Dialog({ title, onClose, children, actions, size = 'small' }: DialogProps) {
  const box = useRef<HTMLDialogElement>(null);
  const id = useId();
  useModal(box);
  return (
    <dialog
      ref={box}
      class={`dialog ${size}`}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === event.currentTarget) onClose();
      }}
    >
      <div class="dialog-box">
        <header class="dialog-head">
          <h2 id={id}>{title}</h2>
          <IconButton icon="cross" label="Close" small onClick={onClose} />
        </header>
        <div class="dialog-body">{children}</div>
        {actions === undefined ? null : <footer class="dialog-foot">{actions}</footer>}
      </div>
    </dialog>
  );
}

export interface Question {
  readonly title: string;
  readonly text: string;
  /** What the button says that does it. */
  readonly action: string;
  readonly isDangerous?: boolean;
}

const asked = signal<(Question & { readonly answer: (isMeant: boolean) => void }) | null>(null);

/** Asks whether it is meant. One question at a time: a new one answers the old one with no. */
export async function confirm(question: Question): Promise<boolean> {
  asked.peek()?.answer(false);
  return await new Promise<boolean>((resolve) => {
    asked.value = {
      ...question,
      answer: (isMeant) => {
        asked.value = null;
        resolve(isMeant);
      },
    };
  });
}

/** Where `confirm` asks. Drawn once. */
export function Questions() {
  const question = asked.value;
  if (question === null) return null;
  const { title, text, action, isDangerous = false, answer } = question;
  return (
    <Dialog
      title={title}
      onClose={() => answer(false)}
      actions={
        <>
          <Button onClick={() => answer(false)}>Cancel</Button>
          <Button kind={isDangerous ? 'danger' : 'primary'} autofocus onClick={() => answer(true)}>
            {action}
          </Button>
        </>
      }
    >
      <p>{text}</p>
    </Dialog>
  );
}
