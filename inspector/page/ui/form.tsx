import { useState } from 'preact/hooks';
import type { CommandParam } from '../../protocol.ts';
import { fieldsOfParams, fieldsOfSchema, initialTexts, valuesOf, type Field } from '../form-fields.ts';
import { Button } from './button.tsx';

export interface FormProps {
  /** What is asked: the parameters of a command, or a JSON schema of an object (`type` of an event is left out). */
  readonly params?: readonly CommandParam[];
  readonly schema?: unknown;
  /** What is filled in at first. */
  readonly initial?: Readonly<Record<string, unknown>>;
  /** What the button says. */
  readonly submit: string;
  readonly onSubmit: (values: Record<string, unknown>) => void | Promise<void>;
  readonly onCancel?: () => void;
  readonly disabled?: boolean;
}

/** A form made of what is asked. Without any field there is one for JSON, when a schema was given that says nothing. */
export function Form(props: FormProps) {
  const { initial = {}, submit, onSubmit, onCancel, disabled = false } = props;
  const fields = props.params === undefined ? fieldsOfSchema(props.schema) : fieldsOfParams(props.params);
  const [texts, setTexts] = useState(() => initialTexts(fields, initial));
  const [problems, setProblems] = useState<Readonly<Record<string, string>>>({});
  const [isBusy, setBusy] = useState(false);

  const send = async (): Promise<void> => {
    const read = valuesOf(fields, texts);
    setProblems(read.problems);
    if (Object.keys(read.problems).length > 0) return;
    setBusy(true);
    try {
      await onSubmit(read.values);
    } finally {
      setBusy(false);
    }
  };
  return (
    <form
      class="form"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        void send();
      }}
    >
      {fields.map((field) => (
        <FormField
          key={field.name}
          field={field}
          text={texts[field.name] ?? ''}
          problem={problems[field.name]}
          onText={(text) => setTexts({ ...texts, [field.name]: text })}
        />
      ))}
      <div class="form-foot">
        {onCancel === undefined ? null : <Button onClick={onCancel}>Cancel</Button>}
        <Button kind="primary" type="submit" gives busy={isBusy} disabled={disabled}>
          {submit}
        </Button>
      </div>
    </form>
  );
}

interface FormFieldProps {
  readonly field: Field;
  readonly text: string;
  readonly problem: string | undefined;
  readonly onText: (text: string) => void;
}

function FormField({ field, text, problem, onText }: FormFieldProps) {
  const id = `field-${field.name}`;
  const common = {
    id,
    'aria-invalid': problem !== undefined,
    'aria-describedby': `${id}-help`,
    'aria-required': field.isRequired,
  };
  const label = (
    <label for={id}>
      {field.name}
      {field.isRequired ? <span class="required"> required</span> : null}
    </label>
  );
  const help = (
    <p id={`${id}-help`} class={problem === undefined ? 'field-help' : 'field-problem'}>
      {problem ?? field.help}
    </p>
  );
  if (field.kind === 'flag') {
    return (
      <div class="field flag">
        <input
          {...common}
          type="checkbox"
          checked={text === 'true'}
          onChange={(event) => onText(String(event.currentTarget.checked))}
        />
        {label}
        {help}
      </div>
    );
  }
  return (
    <div class="field">
      {label}
      {field.kind === 'choice' ? (
        <select {...common} value={text} onChange={(event) => onText(event.currentTarget.value)}>
          {field.isRequired ? null : <option value="" />}
          {field.choices.map((choice) => (
            <option key={choice} value={choice}>
              {choice}
            </option>
          ))}
        </select>
      ) : field.kind === 'json' ? (
        <textarea
          {...common}
          class="code"
          rows={4}
          spellcheck={false}
          value={text}
          onInput={(event) => onText(event.currentTarget.value)}
        />
      ) : (
        <input
          {...common}
          type="text"
          inputMode={field.kind === 'number' ? 'decimal' : 'text'}
          autocomplete="off"
          spellcheck={false}
          value={text}
          onInput={(event) => onText(event.currentTarget.value)}
        />
      )}
      {help}
    </div>
  );
}
